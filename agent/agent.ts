// An agent, configured by a flume.conf: sources put events into channels, sinks take them out. This
// is the folder's public interface; embeddedAgent.ts is the one for programs, command.ts for the
// shell.
//
// Contract. Channels are opened first and closed last, so that every event put can be taken.
// Sources and sinks are actors that are restarted without limit when they fail; their instances
// share no state but the channels. A stop is bounded in time. An event acknowledged by a file
// channel is delivered exactly once by a Kafka sink, whatever is killed meanwhile; see
// channels/channel.ts.
//
// It must never report an event as delivered that a crash could still lose, drop an event without a
// log line, or ignore a security setting.
//
// Batch sizes: a source's batchSize and a sink's flumeBatchSize bound a transaction, and neither
// waits for a full batch. Several transactions are in flight at once and share the syncs of a file
// channel, so small ones cost little; a few thousand events per batch are fastest.

import { ActorSystem } from '../protocol/actor/actor.ts'
import { restart } from '../protocol/actor/supervision.ts'
import { Cluster } from '../protocol/client/cluster/cluster.ts'
import { DirectoryInUseError } from '../protocol/runtime/disk/disk.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { hostDirectories } from '../protocol/runtime/process/hostDirectories.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import { sleep } from '../protocol/runtime/time/clock.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import type { AgentStatus } from '../protocol/telemetry/status/status.ts'
import { agentTroubles } from './agentHealth.ts'
import { type AgentPlan, type PlanDependencies, planAgent } from './agentPlan.ts'
import type { AgentReason } from './agentReasons.ts'
import type { Channel } from './channels/channel.ts'
import { runnerOf } from './componentRunner.ts'
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
import type { InterceptorType } from './interceptors/interceptorTypes.ts'
import type { AgentFigures } from './monitoring/agentFigures.ts'
import { counterStrings } from './monitoring/counters.ts'
import { type MetricsJson, type MetricsPage, serveMetrics } from './monitoring/metricsPage.ts'
import { statusReporter } from './monitoring/statusReporter.ts'
import type { SelectorType } from './selectors/selectorTypes.ts'
import { type StartProcess, startProcess } from './sources/execProcess.ts'

export interface AgentOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  /** Metrics of the agent. */
  readonly metrics?: Metrics
  /** Name of the agent: the first part of its keys in the configuration. */
  readonly name: string
  /** Text of flume.conf, or several files of which later ones override earlier ones; ISO-8859-1. */
  readonly configuration: string | readonly ConfigurationFile[]
  /** Base of relative paths. Default: the working directory of the process. */
  readonly baseDirectory?: string
  /** Address of Flume's metrics page; without it there is none. */
  readonly monitoring?: Address
  /** Cluster to which the agent reports its status. Default: that of its first Kafka sink. */
  readonly statusCluster?: Cluster | undefined
  /** Values of `${sys:key}`. */
  readonly systemProperties?: Readonly<Record<string, string>>
  /** Values of `${env:NAME}`. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly host?: HostIdentity
  readonly startProcess?: StartProcess
  /** Types of the program that embeds the agent, in addition to the agent's own. */
  readonly interceptorTypes?: readonly InterceptorType[]
  readonly selectorTypes?: readonly SelectorType[]
  /** The `recyclable` of a stopped agent: this agent takes over the channels that both have. */
  readonly recyclable?: ReadonlyMap<string, Channel>
}

/** A file of an agent's configuration: its text in ISO-8859-1, and its path for messages. */
export interface ConfigurationFile {
  readonly path: string
  readonly text: string
}

export interface Agent {
  /**
   * Stops sources, then sinks, then channels, within a bounded time. Memory channels are drained
   * first if their sinks can deliver, except those that `keptChannels` lists by their key in
   * `recyclable`. Returns the names of components that did not stop in time and may keep the
   * process alive.
   */
  stop(keptChannels?: ReadonlySet<string>): Promise<readonly string[]>
  /** Rejects when the agent fails as a whole. */
  readonly failed: Promise<never>
  /** Content of the metrics page. */
  metrics(): MetricsJson
  status(): AgentStatus
  /** The components and counters from which metrics are read. */
  figures(): AgentFigures
  /** Current problems of the agent's health. */
  troubles(): readonly AgentReason[]
  /** Address of the metrics page. */
  readonly monitoring: Address | undefined
  /** Memory channels by name and options; the next agent may take them over with their events. */
  readonly recyclable: ReadonlyMap<string, Channel>
}

/** Time for sinks to drain memory channels when an agent stops. */
const drainTimeoutMs = 5000
const drainCheckMs = 20
/** Time for all sources to stop, for all sinks, and for each channel. */
const stopTimeoutMs = 10_000

/**
 * A failed component is restarted without a limit of attempts, at most ten seconds after it failed.
 */
const supervision = restart({
  minBackoffMs: 500,
  maxBackoffMs: 10_000,
  maxRestarts: Number.MAX_SAFE_INTEGER,
})

/**
 * Starts an agent; fails with an AgentError that lists the problems of the configuration, if
 * invalid.
 */
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

/** Checks a configuration without starting anything; fails as `startAgent` does. */
export async function checkAgent(options: AgentOptions): Promise<CheckedConfiguration> {
  const host = options.host ?? (await localHost(options.runtime.clock))
  const { problems, recyclable } = planFor({ ...options, host })
  return { problems, recyclable: new Set(recyclable.keys()) }
}

type HostedOptions = AgentOptions & { readonly host: HostIdentity }

/** Plans the agent from its configuration; fails if no agent can be built from it. */
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
    const detail = names === '' ? 'no agent is' : `configured agents: ${names}`
    throw new AgentError('CONFIGURATION', `${paths}: agent ${name} is not configured; ${detail}`)
  }
  const mine = problems.filter(
    ({ property }) => property.startsWith(`${name}.`) || !property.includes('.'),
  )
  const directories = hostDirectories()
  const dependencies: PlanDependencies = {
    runtime,
    logger,
    host: options.host,
    startProcess: options.startProcess ?? startProcess,
    baseDirectory: options.baseDirectory ?? directories.working,
    homeDirectory: directories.home,
    interceptorTypes: options.interceptorTypes ?? [],
    selectorTypes: options.selectorTypes ?? [],
    ...(options.recyclable && { recyclable: options.recyclable }),
  }
  return planAgent(agent, dependencies, mine)
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
  /** Health of each source and sink, by kind and name. */
  readonly #watches = new Map<string, ComponentWatch>()
  /** Components that did not stop in time. */
  readonly #hanging: string[] = []

  constructor(options: HostedOptions, plan: AgentPlan) {
    this.#options = options
    this.#plan = plan
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    // A caller that does not use `failed` must not crash with an unhandled rejection.
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

  /** Opens channels, then starts sinks, then sources, so that every event put can be taken. */
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
        // Recovered by file channels.
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
    // As in Flume, logger and null sinks publish no counters.
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
      'rolled back prepared takes of a sink that is no longer configured: other sinks may deliver their events again',
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

  /** Stops components concurrently, with one deadline for all. */
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
   * Waits for a component to stop, with a deadline: a component that hangs (on a file system that
   * does not answer, on a command that cannot be killed) must not keep the others from closing in
   * order.
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

  /** Gives sinks a bounded time to drain memory channels, whose events would otherwise be lost. */
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

/** Name and type for the log, such as `r1 (taildir)`. */
function named({ name, type }: { readonly name: string; readonly type: string }): string {
  return `${name} (${type})`
}

/** Turns an error of the system into one that names the settings to check. */
function cannotOpen({ name }: Channel, error: unknown): unknown {
  const isClear = error instanceof AgentError || error instanceof DirectoryInUseError
  if (isClear || !isOperational(error)) return error
  return new AgentError(
    'CONFIGURATION',
    `channel ${name} cannot be opened: ${rootCause(error).message}: check the permissions and the free space of its checkpointDir and dataDirs`,
    error,
  )
}

/** LevelDB's message is "Database failed to open"; the reason is in its cause. */
function rootCause(error: Error): Error {
  return error.cause instanceof Error ? rootCause(error.cause) : error
}
