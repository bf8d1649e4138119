// An agent: sources put events into channels, sinks take them out, as a flume.conf says. This is the
// folder's public face. Sources and sinks are actors that are started again when they fail; channels
// are opened first and closed last.
//
// How batch sizes work here: a source's batchSize and a sink's flumeBatchSize bound a transaction,
// and neither waits to be reached. Several transactions are under way at once and share the syncs
// of a file channel, so small ones cost little; a few thousand events a batch is fastest.

import { homedir } from 'node:os'
import { ActorSystem } from '../protocol/actor/actor.ts'
import { restart } from '../protocol/actor/supervision.ts'
import { Cluster } from '../protocol/client/cluster.ts'
import { sleep } from '../protocol/runtime/clock.ts'
import { DirectoryInUseError } from '../protocol/runtime/disk.ts'
import type { Address } from '../protocol/runtime/network.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import type { Metrics } from '../protocol/telemetry/metrics.ts'
import type { AgentStatus } from '../protocol/telemetry/status.ts'
import { agentTroubles } from './agentHealth.ts'
import { type AgentPlan, type PlanSurroundings, planAgent } from './agentPlan.ts'
import type { AgentReason } from './agentReasons.ts'
import type { Channel } from './channels/channel.ts'
import { ComponentWatch } from './componentWatch.ts'
import {
  type ConfigurationProblem,
  formatProblem,
  readFlumeConfiguration,
} from './configuration/flumeConfiguration.ts'
import { type Property, parseProperties } from './configuration/properties.ts'
import { substitute } from './configuration/substitution.ts'
import { AgentError } from './errors.ts'
import { type HostIdentity, localHost } from './hostIdentity.ts'
import type { AgentFigures } from './monitoring/agentFigures.ts'
import { counterStrings } from './monitoring/counters.ts'
import { type MetricsJson, type MetricsPage, serveMetrics } from './monitoring/metricsPage.ts'
import { statusReporter } from './monitoring/statusReporter.ts'
import { runnerOf } from './polled.ts'
import { type StartProcess, startProcess } from './sources/execProcess.ts'

export interface AgentOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  /** What the agent counts. */
  readonly metrics?: Metrics
  /** The agent's name: the first part of its keys in the configuration. */
  readonly name: string
  /** The text of flume.conf, or several files of which later ones win; bytes as ISO-8859-1. */
  readonly configuration: string | readonly ConfigurationFile[]
  /** Where relative paths start; the directory of the process unless given. */
  readonly baseDirectory?: string
  /** Where the metrics page listens; none unless given. */
  readonly monitoring?: Address
  /** Where the agent reports its status; where its first Kafka sink sends unless given. */
  readonly statusCluster?: Cluster | undefined
  /** What `${sys:key}` stands for. */
  readonly systemProperties?: Readonly<Record<string, string>>
  /** What `${env:NAME}` stands for. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly host?: HostIdentity
  readonly startProcess?: StartProcess
  /** The `recyclable` of a stopped agent: this one takes over those channels that it has, too. */
  readonly recyclable?: ReadonlyMap<string, Channel>
}

/** A file of an agent's configuration, with its text; bytes as ISO-8859-1. The path is for messages. */
export interface ConfigurationFile {
  readonly path: string
  readonly text: string
}

export interface Agent {
  /**
   * Stops sources, then sinks, then channels, within a bounded time. What is in memory channels is
   * delivered if it can be, unless `keptChannels` names the channel by its key in `recyclable`.
   * Returns what did not stop in time, and may hold the process.
   */
  stop(keptChannels?: ReadonlySet<string>): Promise<readonly string[]>
  /** Rejects when the agent cannot go on. */
  readonly failed: Promise<never>
  /** What the metrics page shows. */
  metrics(): MetricsJson
  status(): AgentStatus
  /** What its metrics are read from. */
  figures(): AgentFigures
  /** What is not well now. */
  troubles(): readonly AgentReason[]
  /** Where the metrics page listens. */
  readonly monitoring: Address | undefined
  /** Memory channels, which keep their events when the agent has stopped. */
  readonly recyclable: ReadonlyMap<string, Channel>
}

/** Sinks may empty memory channels for so long when an agent stops. */
const drainTimeoutMs = 5000
const drainCheckMs = 20
/** All sources together, then all sinks, then each channel may take so long to stop. */
const stopTimeoutMs = 10_000

/** A component is started again as often as it fails, at the latest ten seconds after. */
const supervision = restart({
  minBackoffMs: 500,
  maxBackoffMs: 10_000,
  maxRestarts: Number.MAX_SAFE_INTEGER,
})

/** Fails with an AgentError whose message says what is wrong with the configuration, line by line. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const host = options.host ?? (await localHost(options.runtime.clock))
  const hosted = { ...options, host }
  const plan = planFor(hosted)
  for (const problem of plan.problems) {
    const level = problem.severity === 'error' ? 'error' : 'warn'
    options.logger[level]({ agent: options.name }, formatProblem(problem))
  }
  const agent = new RunningAgent(hosted, plan)
  await agent.start()
  return agent
}

export interface CheckedConfiguration {
  readonly problems: readonly ConfigurationProblem[]
  /** The keys in `recyclable` of an agent with this configuration. */
  readonly recyclable: ReadonlySet<string>
}

/** What there is to say about a configuration, without starting anything; fails as `startAgent` does. */
export async function checkAgent(options: AgentOptions): Promise<CheckedConfiguration> {
  const host = options.host ?? (await localHost(options.runtime.clock))
  const { problems, recyclable } = planFor({ ...options, host })
  return { problems, recyclable: new Set(recyclable.keys()) }
}

type HostedOptions = AgentOptions & { readonly host: HostIdentity }

/** Reads the configuration; fails for one that no agent can be made of. */
function planFor(options: HostedOptions): AgentPlan {
  const { configuration, name, runtime, logger } = options
  const files =
    typeof configuration === 'string'
      ? [{ path: 'flume.conf', text: configuration }]
      : configuration
  const properties = new Map<string, Property>()
  for (const { path, text } of files) parseProperties(text, path, properties)
  const sources = { env: options.environment ?? {}, sys: options.systemProperties ?? {} }
  const { agents, problems } = readFlumeConfiguration(substitute(properties, sources))
  const agent = agents.get(name)
  if (agent === undefined) {
    const paths = files.map(({ path }) => path).join(', ')
    const names = [...agents.keys()].join(', ')
    const detail = names === '' ? 'it configures none' : `it configures ${names}`
    throw new AgentError('CONFIGURATION', `${paths}: no agent is called ${name}; ${detail}`)
  }
  const mine = problems.filter(
    ({ property }) => property.startsWith(`${name}.`) || !property.includes('.'),
  )
  const surroundings: PlanSurroundings = {
    runtime,
    logger,
    host: options.host,
    startProcess: options.startProcess ?? startProcess,
    baseDirectory: options.baseDirectory ?? process.cwd(),
    homeDirectory: homedir(),
    ...(options.recyclable && { recyclable: options.recyclable }),
  }
  return planAgent(agent, surroundings, mine)
}

class RunningAgent implements Agent {
  readonly failed: Promise<never>
  readonly #options: HostedOptions
  readonly #plan: AgentPlan
  readonly #system: ActorSystem
  readonly #sinks = new Map<string, ReturnType<ActorSystem['spawn']>>()
  readonly #sources = new Map<string, ReturnType<ActorSystem['spawn']>>()
  #openChannels: Channel[] = []
  #page: MetricsPage | undefined
  #ownCluster: Cluster | undefined
  #status: ReturnType<ActorSystem['spawn']> | undefined
  #stopping: Promise<readonly string[]> | undefined
  #failure: Error | undefined
  /** Of sources and sinks. */
  readonly #watches = new Map<string, ComponentWatch>()
  /** What did not stop in time. */
  readonly #hanging: string[] = []

  constructor(options: HostedOptions, plan: AgentPlan) {
    this.#options = options
    this.#plan = plan
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    // Whoever does not ask for `failed` must not end the process by that.
    promise.catch(() => {})
    const { clock, random, scheduler } = options.runtime
    this.#system = new ActorSystem({
      clock,
      random: random.fork('actors'),
      scheduler,
      logger: options.logger,
      ...(options.metrics && { metrics: options.metrics }),
      name: options.name,
      onEscalate: (error) => {
        this.#failure = error
        reject(error)
      },
    })
  }

  get monitoring(): Address | undefined {
    return this.#page?.address
  }

  /** Channels, then sinks, then sources, so that nothing is put that could not be taken. */
  async start(): Promise<void> {
    const startedMs = this.#options.runtime.clock.monotonicMs()
    try {
      for (const channel of this.#plan.channels) await this.#open(channel)
      const { monitoring } = this.#options
      if (monitoring) this.#page = await serveMetrics(monitoring, () => this.metrics())
    } catch (error) {
      await this.stop()
      throw error
    }
    for (const { name, make } of this.#plan.sinks) {
      const runner = runnerOf(make, this.#watch(`sink ${name}`))
      const sink = this.#system.spawn(`sink-${name}`, runner, { supervision })
      this.#sinks.set(`sink ${name}`, sink)
    }
    for (const { name, make } of this.#plan.sources) {
      const runner = runnerOf(make, this.#watch(`source ${name}`))
      const source = this.#system.spawn(`source-${name}`, runner, { supervision })
      this.#sources.set(`source ${name}`, source)
    }
    this.#report()
    const { logger, name, runtime } = this.#options
    const { sources, sinks, channels } = this.#plan
    const events = channels.reduce((sum, { size }) => sum + size, 0)
    logger.info(
      {
        agent: name,
        sources: sources.map(named),
        channels: channels.map(named),
        sinks: sinks.map(named),
        // File channels bring back what the last run left in them.
        events,
        elapsedMs: Math.round(runtime.clock.monotonicMs() - startedMs),
      },
      'agent started',
    )
  }

  get recyclable(): ReadonlyMap<string, Channel> {
    return this.#plan.recyclable
  }

  stop(keptChannels: ReadonlySet<string> = new Set()): Promise<readonly string[]> {
    this.#stopping ??= this.#stop(keptChannels)
    return this.#stopping
  }

  metrics(): MetricsJson {
    const groups: Record<string, Record<string, string>> = {}
    const { sources, channels, sinks } = this.#plan
    for (const { name, counter } of sources) groups[`SOURCE.${name}`] = counterStrings(counter)
    for (const { name, counter } of channels) groups[`CHANNEL.${name}`] = counterStrings(counter)
    // Logger and null sinks publish none, as in Flume.
    for (const { name, counter, kafka } of sinks) {
      if (kafka !== undefined) groups[`SINK.${name}`] = counterStrings(counter)
    }
    return groups
  }

  status(): AgentStatus {
    const { name, runtime, host } = this.#options
    const { sources, channels, sinks } = this.#plan
    return {
      kind: 'agent',
      id: `agent/${host.name}/${name}`,
      timeMs: runtime.clock.nowMs(),
      name,
      host: host.name,
      state: this.#stopping ? 'stopped' : 'running',
      sources: sources.map(({ name, type, counter }) => ({
        name,
        type,
        eventsReceived: counter.EventReceivedCount,
        eventsAccepted: counter.EventAcceptedCount,
      })),
      channels: channels.map(({ name, type, size, capacity }) => ({ name, type, size, capacity })),
      sinks: sinks.map(({ name, type, counter, kafka }) => ({
        name,
        type,
        eventsDrained: counter.EventDrainSuccessCount,
        ...(kafka && { topic: kafka.topic }),
      })),
      bytesRead: sources.reduce((sum, { progress }) => sum + progress.bytesRead, 0),
    }
  }

  figures(): AgentFigures {
    const { sources, channels, sinks } = this.#plan
    const restarts = (name: string) => this.#watches.get(name)?.restarts ?? 0
    return {
      name: this.#options.name,
      sources: sources.map((source) => ({
        ...source,
        restarts: restarts(`source ${source.name}`),
      })),
      channels,
      sinks: sinks.map((sink) => ({ ...sink, restarts: restarts(`sink ${sink.name}`) })),
    }
  }

  troubles(): AgentReason[] {
    return agentTroubles({
      watches: () => [...this.#watches.values()],
      channels: this.#plan.channels,
      isStopping: () => this.#stopping !== undefined,
      failure: () => this.#failure,
    })
  }

  #watch(name: string): ComponentWatch {
    const watch = new ComponentWatch(this.#options.runtime.clock, name)
    this.#watches.set(name, watch)
    return watch
  }

  async #open(channel: Channel): Promise<void> {
    try {
      await channel.start()
    } catch (error) {
      throw cannotOpen(channel, error)
    }
    this.#openChannels.push(channel)
    const mine = this.#plan.sinks.filter((sink) => sink.channel === channel)
    const released = await channel.releasePrepared(new Set(mine.map(({ name }) => name)))
    if (released === 0) return
    this.#options.logger.warn(
      { channel: channel.name, takes: released },
      'events that a sink had sent, perhaps, go to others: that sink is not configured any more',
    )
  }

  #report(): void {
    const { runtime, logger, name } = this.#options
    const bootstrap = this.#plan.sinks.find((sink) => sink.kafka !== undefined)?.kafka?.bootstrap
    let cluster = this.#options.statusCluster
    if (cluster === undefined && bootstrap !== undefined) {
      cluster = new Cluster(runtime, { bootstrap, clientId: `millrace-agent-${name}-status` })
      this.#ownCluster = cluster
    }
    if (cluster === undefined) return
    const reporter = statusReporter(cluster, runtime.clock, logger, () => this.status())
    this.#status = this.#system.spawn('status', reporter, { supervision })
  }

  async #stop(keptChannels: ReadonlySet<string>): Promise<readonly string[]> {
    const volatile = [...this.#plan.recyclable]
      .filter(([identity, channel]) => {
        return !keptChannels.has(identity) && this.#openChannels.includes(channel)
      })
      .map(([, channel]) => channel)
    await this.#stopActors(this.#sources)
    await this.#drain(volatile)
    await this.#stopActors(this.#sinks)
    await this.#within('status reports', this.#closeReports())
    const handedOn = new Set(
      [...keptChannels].map((identity) => this.#plan.recyclable.get(identity)),
    )
    for (const channel of this.#openChannels.splice(0).reverse()) {
      await this.#within(`channel ${channel.name}`, channel.stop(handedOn.has(channel)))
    }
    if (this.#page !== undefined) await this.#within('metrics page', this.#page.close())
    return this.#hanging
  }

  /** One deadline for all of them: what stops in time does so side by side. */
  async #stopActors(actors: ReadonlyMap<string, ReturnType<ActorSystem['spawn']>>): Promise<void> {
    const stopping = [...actors].map(([name, actor]) => {
      return this.#within(name, this.#system.stop(actor))
    })
    await Promise.all(stopping)
  }

  async #closeReports(): Promise<void> {
    if (this.#status !== undefined) await this.#system.stop(this.#status)
    await this.#ownCluster?.close()
  }

  /**
   * Waits for something to stop, but not for ever: a component that hangs (a file system that does not
   * answer, a command that cannot be killed) must not keep the others from closing in order.
   */
  async #within(what: string, stopping: Promise<unknown>): Promise<void> {
    const { runtime, logger } = this.#options
    const late = new AbortController()
    const outcome = await Promise.race([
      stopping.then(
        () => 'stopped' as const,
        (error: unknown) => ({ error }),
      ),
      sleep(runtime.clock, stopTimeoutMs, late.signal).then(() => 'late' as const),
    ])
    late.abort()
    if (outcome === 'stopped') return
    if (outcome === 'late') {
      this.#hanging.push(what)
      logger.error(
        { component: what, timeoutMs: stopTimeoutMs },
        `${what} did not stop within ${stopTimeoutMs} ms: the agent stops without it`,
      )
    } else logger.error({ component: what, error: outcome.error }, `${what} failed to stop`)
  }

  /** What a memory channel still holds would be gone: its sinks get a little time for it. */
  async #drain(channels: readonly Channel[]): Promise<void> {
    const { clock } = this.#options.runtime
    const deadlineMs = clock.monotonicMs() + drainTimeoutMs
    const drained = channels.filter((channel) => {
      return this.#plan.sinks.some((sink) => sink.channel === channel)
    })
    const isHolding = () => drained.some(({ size }) => size > 0)
    while (this.#sinks.size > 0 && isHolding() && clock.monotonicMs() < deadlineMs) {
      await sleep(clock, drainCheckMs)
    }
  }
}

/** `r1 (taildir)` */
function named({ name, type }: { readonly name: string; readonly type: string }): string {
  return `${name} (${type})`
}

/** What the system refused, in words that say which settings to look at. */
function cannotOpen({ name }: Channel, error: unknown): unknown {
  const isClear = error instanceof AgentError || error instanceof DirectoryInUseError
  if (isClear || !isOperational(error)) return error
  return new AgentError(
    'CONFIGURATION',
    `channel ${name} cannot be opened: ${rootCause(error).message}: look at the rights to its checkpointDir and dataDirs, and at the room there`,
    error,
  )
}

/** LevelDB says "Database failed to open", and why in its cause. */
function rootCause(error: Error): Error {
  return error.cause instanceof Error ? rootCause(error.cause) : error
}
