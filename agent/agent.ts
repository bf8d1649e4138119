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
import type { Address } from '../protocol/runtime/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import type { AgentStatus } from '../protocol/telemetry/status.ts'
import { type AgentPlan, planAgent } from './agentPlan.ts'
import type { Channel } from './channels/channel.ts'
import { formatProblem, readFlumeConfiguration } from './configuration/flumeConfiguration.ts'
import { type Property, parseProperties } from './configuration/properties.ts'
import { substitute } from './configuration/substitution.ts'
import { AgentError } from './errors.ts'
import { type HostIdentity, localHost } from './hostIdentity.ts'
import { counterStrings } from './monitoring/counters.ts'
import { type MetricsJson, type MetricsPage, serveMetrics } from './monitoring/metricsPage.ts'
import { statusReporter } from './monitoring/statusReporter.ts'
import { runnerOf } from './polled.ts'
import { type StartProcess, startProcess } from './sources/execProcess.ts'

export interface AgentOptions {
  readonly runtime: Runtime
  readonly logger: Logger
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
}

export interface ConfigurationFile {
  readonly path: string
  readonly text: string
}

export interface Agent {
  /** Stops sources, then sinks, then channels. What is in memory channels is delivered if it can be. */
  stop(): Promise<void>
  /** Rejects when the agent cannot go on. */
  readonly failed: Promise<never>
  /** What the metrics page shows. */
  metrics(): MetricsJson
  status(): AgentStatus
  /** Where the metrics page listens. */
  readonly monitoring: Address | undefined
}

/** Sinks may empty memory channels for so long when an agent stops. */
const drainTimeoutMs = 5000
const drainCheckMs = 20

/** A component is started again as often as it fails, at the latest ten seconds after. */
const supervision = restart({
  minBackoffMs: 500,
  maxBackoffMs: 10_000,
  maxRestarts: Number.MAX_SAFE_INTEGER,
})

/** Fails with an AgentError whose one line says what is wrong with the configuration. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const plan = planFor(options)
  for (const problem of plan.problems) {
    options.logger.warn({ agent: options.name }, formatProblem(problem))
  }
  const agent = new RunningAgent(options, plan)
  await agent.start()
  return agent
}

/** Reads the configuration; fails for one that no agent can be made of. */
function planFor(options: AgentOptions): AgentPlan {
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
  const plan = planAgent(agent, {
    runtime,
    logger,
    host: options.host ?? localHost(),
    startProcess: options.startProcess ?? startProcess,
    baseDirectory: options.baseDirectory ?? process.cwd(),
    homeDirectory: homedir(),
  })
  const mine = problems.filter(
    ({ property }) => property.startsWith(`${name}.`) || !property.includes('.'),
  )
  return { ...plan, problems: [...mine, ...plan.problems] }
}

class RunningAgent implements Agent {
  readonly failed: Promise<never>
  readonly #options: AgentOptions
  readonly #plan: AgentPlan
  readonly #host: HostIdentity
  readonly #system: ActorSystem
  readonly #sinks: ReturnType<ActorSystem['spawn']>[] = []
  readonly #sources: ReturnType<ActorSystem['spawn']>[] = []
  #openChannels: Channel[] = []
  #page: MetricsPage | undefined
  #ownCluster: Cluster | undefined
  #stopping: Promise<void> | undefined

  constructor(options: AgentOptions, plan: AgentPlan) {
    this.#options = options
    this.#plan = plan
    this.#host = options.host ?? localHost()
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    // Whoever does not ask for `failed` must not end the process by that.
    promise.catch(() => {})
    const { clock, random } = options.runtime
    this.#system = new ActorSystem({
      clock,
      random,
      logger: options.logger,
      name: options.name,
      onEscalate: reject,
    })
  }

  get monitoring(): Address | undefined {
    return this.#page?.address
  }

  /** Channels, then sinks, then sources, so that nothing is put that could not be taken. */
  async start(): Promise<void> {
    try {
      for (const channel of this.#plan.channels) await this.#open(channel)
      const { monitoring } = this.#options
      if (monitoring) this.#page = await serveMetrics(monitoring, () => this.metrics())
    } catch (error) {
      await this.stop()
      throw error
    }
    for (const { name, make } of this.#plan.sinks) {
      this.#sinks.push(this.#system.spawn(`sink-${name}`, runnerOf(make), { supervision }))
    }
    for (const { name, make } of this.#plan.sources) {
      this.#sources.push(this.#system.spawn(`source-${name}`, runnerOf(make), { supervision }))
    }
    this.#report()
    const { logger, name } = this.#options
    logger.info({ agent: name, channels: this.#plan.channels.length }, 'agent started')
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
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
    const { name, runtime } = this.#options
    const { sources, channels, sinks } = this.#plan
    return {
      kind: 'agent',
      id: `agent/${this.#host.name}/${name}`,
      timeMs: runtime.clock.nowMs(),
      name,
      host: this.#host.name,
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

  async #open(channel: Channel): Promise<void> {
    await channel.start()
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
    this.#system.spawn('status', reporter, { supervision })
  }

  async #stop(): Promise<void> {
    for (const source of this.#sources) await this.#system.stop(source)
    await this.#drainMemory()
    for (const sink of this.#sinks) await this.#system.stop(sink)
    await this.#system.shutdown()
    await this.#ownCluster?.close()
    for (const channel of this.#openChannels.splice(0).reverse()) await channel.stop()
    await this.#page?.close()
  }

  /** What a memory channel still holds would be gone: its sinks get a little time for it. */
  async #drainMemory(): Promise<void> {
    const { clock } = this.#options.runtime
    const deadlineMs = clock.monotonicMs() + drainTimeoutMs
    const isHolding = () =>
      this.#plan.sinks.some(({ channel }) => channel.type === 'memory' && channel.size > 0)
    while (this.#sinks.length > 0 && isHolding() && clock.monotonicMs() < deadlineMs) {
      await sleep(clock, drainCheckMs)
    }
  }
}
