// One run of the system `agent`: an agent and a broker in a simulated world, files that are written
// and rotated, a safety phase with faults and a liveness phase without, and what must hold in both.

import { Admin } from '../../../../protocol/client/admin.ts'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { isOperational } from '../../../../protocol/runtime/operational.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import { FaultInjector, type Operator } from '../../plan/faultInjector.ts'
import type { Fault } from '../../plan/faults.ts'
import type { Moment, Outcome, Violation } from '../../plan/outcome.ts'
import type { Plan } from '../../plan/plan.ts'
import type { EventOwner } from '../../world/eventHeap.ts'
import { SimulatedNetwork } from '../../world/network/simulatedNetwork.ts'
import { SeededRarePoints } from '../../world/seededRarePoints.ts'
import { SimulatedHost } from '../../world/simulatedHost.ts'
import { type ProcessEnd, SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { TraceOptions } from '../../world/trace.ts'
import { watchRejections } from '../../world/unhandledRejections.ts'
import { World } from '../../world/world.ts'
import {
  type BrokerRun,
  brokerPort,
  brokerProcess,
  runBroker,
  stopBroker,
} from '../broker/brokerProgram.ts'
import { ObservedLogger } from '../broker/observedLogger.ts'
import { Acceptance } from './acceptance.ts'
import { type AgentParameters, agentHost, brokerHost, topicOf } from './agentParameters.ts'
import { type AgentRun, agentProcess, runAgent, stopAgent, stopBoundMs } from './agentProgram.ts'
import { checkDeliveries, type Deliveries, missingLines } from './deliveryCheck.ts'
import { LineLedger } from './lineLedger.ts'
import { type Copy, LogFiles } from './logFiles.ts'
import { ReusedInodes } from './reusedInodes.ts'
import { Delivered, readTopics } from './topicReader.ts'

/** Limit on the events of a phase; more of them are an endless loop. */
const mostEvents = 600_000
/** How long the operator takes to start a process again that ended by itself, in ms. */
const restartMs = 50
/** Violations that are kept. */
const mostViolations = 30
/** How long nothing may arrive before the agent is stopped in the end: longer than a copy waits. */
const quietMs = 1700
const checkMs = 100
/** How long an agent runs that was stopped in the end and started again. */
const restartedMs = 300
/** How long a copy needs an agent that nothing disturbs, before it begins and after its end. */
const calmMs = 2500

export type AgentSystemPlan = Plan<AgentParameters>

export class AgentSimulation implements Operator {
  readonly #plan: AgentSystemPlan
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #injector: FaultInjector
  readonly #ledger = new LineLedger()
  readonly #inodes = new ReusedInodes()
  readonly #files: LogFiles
  readonly #acceptance: Acceptance
  readonly #delivered: Delivered
  readonly #paddings: Random
  /** Copies, and whether the agent had read any of the original before. */
  readonly #copies: { readonly copy: Copy; readonly isRead: boolean }[] = []
  /** When something disturbed the agent, in ms. */
  readonly #disturbed: number[] = []
  readonly #violations: Violation[] = []
  readonly #moments: Moment[] = []
  readonly #rarePoints: SeededRarePoints[] = []
  readonly #hasDiskFaults: boolean
  #agent: AgentRun | undefined
  #broker: BrokerRun | undefined
  #memoryMayRepeat = false
  #saidLost = false
  #isHealed = false
  #isDone = false
  #quietSinceMs = 0
  #total = 0

  constructor(plan: AgentSystemPlan, trace?: TraceOptions) {
    this.#plan = plan
    const world = new World({ seed: plan.seed, ...(trace && { trace }) })
    this.#world = world
    this.#network = new SimulatedNetwork(world, plan.network)
    for (const host of plan.hosts) {
      this.#hosts.set(host.name, new SimulatedHost(world, this.#network, host.name, host))
    }
    this.#injector = new FaultInjector(world, this.#network, this.#hosts, this)
    this.#injector.onFault = (fault, description) => this.#onFault(fault, description)
    this.#hasDiskFaults = plan.faults.some(({ kind }) => kind === 'failCall' || kind === 'fillDisk')
    world.onError = (error, owner) => this.#onError(error, owner)
    const { channels, partitions, syncsLogs } = plan.parameters
    this.#delivered = new Delivered(channels.length, partitions)
    this.#paddings = world.random.fork('paddings')
    const { memory } = this.#host.disk
    this.#acceptance = new Acceptance(this.#ledger, this.#inodes, memory)
    this.#files = new LogFiles({
      disk: memory,
      inodes: this.#inodes,
      ledger: this.#ledger,
      syncs: syncsLogs,
      padding: () => 2 + this.#paddings.below(this.#paddings.below(8) === 0 ? 300 : 30),
      beforeLoss: () => this.#probe(),
      later: (delayMs, run) => this.#writerLater(delayMs, run),
      copies: (copy) => this.#copyBegins(copy),
      nowMs: () => world.nowMs,
    })
  }

  async run(): Promise<Outcome> {
    const stopWatching = watchRejections(this.#world)
    try {
      await this.#runPhases()
    } finally {
      stopWatching()
    }
    const { events, nowMs, trace, marks } = this.#world
    return {
      violations: this.#violations,
      history: [],
      moments: this.#moments,
      traceHash: trace.hash,
      events,
      virtualMs: nowMs,
      marks: marks.counts,
    }
  }

  /** For the faults: a process that is down starts again. */
  start(host: SimulatedHost, process: string): void {
    if (process === brokerProcess) this.#startBroker()
    else if (process === agentProcess) this.#startAgent()
    else if (host.process(process) === undefined && !this.#isHealed) this.#setUp()
  }

  stop(host: SimulatedHost, process: string): void {
    if (process === brokerProcess && this.#broker?.process.isAlive) stopBroker(this.#broker)
    else if (process === agentProcess && this.#agent?.process.isAlive) this.#stopAgent(this.#agent)
    else host.process(process)?.exit()
  }

  get #host(): SimulatedHost {
    return this.#hosts.get(agentHost)!
  }

  async #runPhases(): Promise<void> {
    const { safetyMs, livenessMs, faults, parameters } = this.#plan
    await this.#files.start()
    this.#startBroker()
    this.#setUp()
    this.#startAgent()
    for (const step of parameters.steps) {
      this.#writerLater(step.atMs, async () => {
        if (step.kind !== 'append') this.#world.marks.reached(`files: ${step.kind}`)
        await this.#files.perform(step)
      })
    }
    this.#injector.schedule(faults)
    const end = await this.#world.run({ untilMs: safetyMs, maxEvents: mostEvents })
    if (end === 'exhausted') return this.#violate('endless', `${mostEvents} events and no end`)
    this.#heal()
    const untilMs = safetyMs + livenessMs
    const isOver = () => this.#isDone
    const last = await this.#world.run({ untilMs, maxEvents: mostEvents, isOver })
    if (last !== 'over') await this.#notLive(last)
  }

  /** A client of its own creates the topics. */
  #setUp(): void {
    const { channels, partitions } = this.#plan.parameters
    this.#hosts.get('client-1')!.start('setup', async (process) => {
      const cluster = clusterOf(process)
      const admin = new Admin(cluster, Number.POSITIVE_INFINITY)
      for (const channel of channels.keys()) {
        for (let isThere = false; !isThere; ) {
          const topic = { name: topicOf(channel), partitions, configs: {} }
          isThere = await admin.createTopics([topic]).then(() => true, hasTopic)
          if (!isThere) await sleep(process.runtime.clock, 50)
        }
      }
      await cluster.close()
      process.exit()
    })
  }

  #startBroker(): void {
    const host = this.#hosts.get(brokerHost)!
    if (!host.isOn || host.process(brokerProcess) !== undefined) return
    const onEnd = (end: ProcessEnd, error: unknown) => {
      this.#note(host.name, `the broker process ended: ${end}${messageOf(error)}`)
      if (end !== 'killed' && end !== 'power') this.#later(restartMs, () => this.#startBroker())
    }
    this.#note(host.name, 'the broker process starts')
    const process = host.start(
      brokerProcess,
      async (process) => {
        const config = { 'node.id': 1, ...this.#plan.parameters.broker }
        try {
          await runBroker(run, config, this.#logger(process))
        } catch (error) {
          this.#refusedStart(process, error)
        }
      },
      { rarePoints: this.#rare(host.name), onEnd },
    )
    const run: BrokerRun = { process, broker: undefined }
    this.#broker = run
  }

  #startAgent(): void {
    const host = this.#host
    if (!host.isOn || host.process(agentProcess) !== undefined || this.#isDone) return
    const onEnd = (end: ProcessEnd, error: unknown) => {
      this.#note(host.name, `the agent process ended: ${end}${messageOf(error)}`)
      this.#disturbed.push(this.#world.nowMs)
      if (end !== 'exited' || !run.isStopRequested || run.agent === undefined) {
        this.#memoryMayRepeat = true
      }
      if (end !== 'killed' && end !== 'power') this.#later(restartMs, () => this.#startAgent())
    }
    this.#note(host.name, 'the agent process starts')
    const process = host.start(
      agentProcess,
      async (process) => {
        try {
          await runAgent(run, this.#plan.parameters, this.#inodes, this.#logger(process))
        } catch (error) {
          this.#refusedStart(process, error)
        }
      },
      { rarePoints: this.#rare(host.name), onEnd },
    )
    const run: AgentRun = { process, agent: undefined, isStopRequested: false, recovered: [] }
    this.#agent = run
  }

  #rare(name: string): SeededRarePoints {
    const random = this.#world.random.fork(`rare points of ${name}`)
    const points = new SeededRarePoints(this.#plan.rare, random, this.#world.marks)
    if (this.#isHealed) points.stop()
    this.#rarePoints.push(points)
    return points
  }

  #refusedStart(process: SimulatedProcess, error: unknown): void {
    const isCorrupt = (error as { code?: string }).code === 'CHANNEL_CORRUPT'
    if (!this.#hasDiskFaults || isCorrupt || !isOperational(error)) {
      const detail = error instanceof Error ? error.stack : String(error)
      this.#violate('no start', `${process.name} does not start: ${detail}`)
    }
    process.end('exited', error)
  }

  #stopAgent(run: AgentRun): void {
    const boundMs = stopBoundMs(this.#plan.parameters)
    stopAgent(run)
    this.#later(boundMs, () => {
      if (!run.process.isAlive || run.process.isPaused) return
      this.#violate('stop not bounded', `the agent has not stopped within ${boundMs} ms`)
    })
  }

  #onFault(fault: Fault, description: string): void {
    this.#note('fault', description)
    if (fault.host !== agentHost) return
    this.#disturbed.push(this.#world.nowMs)
    if (fault.kind === 'pause' || fault.kind === 'fillDisk' || fault.kind === 'slowDisk') {
      this.#disturbed.push(this.#world.nowMs + fault.forMs)
    }
    if (fault.kind === 'failCall' || fault.kind === 'fillDisk') this.#memoryMayRepeat = true
    if (fault.kind !== 'losePower' || !this.#host.isOn) return
    void this.#files.powerFails()
    // After the disk has lost what it loses, which is an event of its own.
    const lost = () => this.#later(0, () => void this.#files.powerFailed())
    this.#later(0, lost)
  }

  #heal(): void {
    this.#note('fault', 'everything is repaired; no fault from here on')
    this.#isHealed = true
    this.#injector.heal()
    for (const points of this.#rarePoints) points.stop()
    this.#startBroker()
    this.#startAgent()
    const client = this.#hosts.get('client-1')!
    client.start('reader', (process) => readTopics(process, this.#delivered))
    // Something new to read, so that a source that is stuck shows.
    for (const file of ['app', 'web'] as const) {
      this.#writerLater(1, () => this.#files.perform({ atMs: 0, file, kind: 'append', lines: 2 }))
    }
    this.#quietSinceMs = this.#world.nowMs
    this.#later(checkMs, () => void this.#watch())
  }

  /** Waits until everything has arrived and nothing arrives any more, then stops the agent. */
  async #watch(): Promise<void> {
    const { nowMs } = this.#world
    const isIdle = this.#agent?.agent
      ?.figures()
      .channels.every(({ counter }) => !counter.ChannelSize)
    const hasNews = this.#total !== this.#delivered.total
    this.#total = this.#delivered.total
    if (hasNews || !isIdle || missingLines(await this.#deliveries()).length > 0) {
      this.#quietSinceMs = nowMs
    }
    if (nowMs - this.#quietSinceMs < quietMs) return this.#later(checkMs, () => void this.#watch())
    await this.#probe()
    this.#checkCounters()
    const run = this.#agent!
    this.#stopAgent(run)
    this.#awaitNext(run)
  }

  /** Waits until the agent has stopped and started again: it has to repeat nothing. */
  #awaitNext(stopped: AgentRun): void {
    this.#later(checkMs, () => {
      const isStarted = this.#agent !== stopped && this.#agent?.agent !== undefined
      if (!isStarted) this.#awaitNext(stopped)
      else this.#later(restartedMs, () => void this.#finish())
    })
  }

  async #finish(): Promise<void> {
    checkDeliveries(await this.#deliveries(), (name, message) => this.#violate(name, message))
    if (this.#inodes.reused > 0) this.#world.marks.reached('an inode was used again')
    this.#isDone = true
  }

  async #deliveries(): Promise<Deliveries> {
    const { parameters } = this.#plan
    this.#judgeCopies()
    return {
      parameters,
      ledger: this.#ledger,
      delivered: this.#delivered,
      existing: await this.#files.existing(),
      memoryMayRepeat: this.#memoryMayRepeat,
      isTorn: !parameters.syncsLogs && this.#host.boots > 0,
      saidLost: this.#saidLost,
    }
  }

  #copyBegins(copy: Copy): void {
    const { channels } = this.#plan.parameters
    const isRead = this.#ledger.isKnown(copy.before, channels.length)
    this.#copies.push({ copy, isRead })
  }

  /**
   * A copy is recognized only of a file of which some was read, by an agent that nothing disturbs
   * meanwhile (decision 21); and not if the agent had read lines that came after the copy.
   */
  #judgeCopies(): void {
    for (const { copy, isRead } of this.#copies) {
      const { lines, sinceMs, truncatedMs, isWhole } = copy
      const untilMs = (truncatedMs ?? sinceMs) + calmMs
      const isCalm = !this.#disturbed.some((ms) => sinceMs - calmMs < ms && ms < untilMs)
      if (isCalm && isRead && isWhole) continue
      this.#ledger.mayRepeat(
        lines,
        'copied before it was read, or incompletely, or while the agent was disturbed',
      )
    }
  }

  #checkCounters(): void {
    const { agent, recovered } = this.#agent!
    const { channels, sinks, sources } = agent!.figures()
    for (const [index, { name, counter }] of channels.entries()) {
      const { EventPutSuccessCount: put, EventTakeSuccessCount: taken, ChannelSize: size } = counter
      if (recovered[index]! + put !== taken + size) {
        const sum = `${recovered[index]} recovered + ${put} put, ${taken} taken + ${size} held`
        this.#violate('counters', `channel ${name}: ${sum}`)
      }
      const drained = sinks.filter((sink) => sink.name.startsWith(name))
      const sent = drained.reduce((sum, sink) => sum + sink.counter.EventDrainSuccessCount, 0)
      if (sent !== taken) this.#violate('counters', `channel ${name}: ${taken} taken, ${sent} sent`)
    }
    for (const { name, counter } of sources) {
      if (counter.EventAcceptedCount <= counter.EventReceivedCount) continue
      this.#violate('counters', `source ${name} accepted more than it received`)
    }
    if (sinks.some(({ counter }) => 'RollbackCount' in counter && counter.RollbackCount)) {
      this.#world.marks.reached('a take was rolled back')
    }
  }

  /** Notes what the channels have of the files. */
  async #probe(): Promise<void> {
    const run = this.#agent
    if (run?.agent === undefined || !run.process.isAlive) return
    await this.#acceptance.probe(run.agent, this.#files.contents)
  }

  #logger(process: SimulatedProcess): ObservedLogger {
    return new ObservedLogger((level, fields, message) => {
      if (!process.isAlive) return
      const details = level === 'info' ? '' : ` ${JSON.stringify(fields, errorsAsText)}`
      this.#note(process.name, `${level}: ${message}${details}`)
      this.#world.marks.reached(`log: ${message.slice(0, 60)}`)
      if (level === 'warn' && /lost/.test(message)) this.#saidLost = true
      if (message.startsWith('memory channel stopped')) this.#memoryMayRepeat = true
      if (level === 'error' && !this.#hasDiskFaults) {
        this.#violate('error logged', `${process.name}: ${message}${details}`)
      }
    })
  }

  #onError(error: unknown, owner: EventOwner): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#violate('crash', `${owner.name}: ${what}`)
    if (owner instanceof SimulatedProcess) owner.end('failed', error)
  }

  async #notLive(end: string): Promise<void> {
    const deliveries = await this.#deliveries()
    const missing = missingLines(deliveries)
    const what = missing.length > 0 ? `missing: ${missing.slice(0, 5).join('; ')}` : 'no quiet'
    const { livenessMs } = this.#plan
    const held = this.#agent?.agent?.figures().channels.map(({ counter }) => counter.ChannelSize)
    const where = `${livenessMs} ms after everything was repaired, channels hold ${held}`
    this.#violate('not live', `${end}, ${where}; ${what}`)
  }

  #violate(name: string, message: string): void {
    if (this.#violations.length >= mostViolations) return
    this.#violations.push({ name, message, timeMs: this.#world.nowMs })
    this.#note('VIOLATION', `${name}: ${message}`)
  }

  #note(who: string, what: string): void {
    this.#moments.push({ timeMs: this.#world.nowMs, who, what })
  }

  /** Whoever writes the files does nothing while the host has no power. */
  #writerLater(delayMs: number, run: () => Promise<void>): void {
    this.#world.schedule(delayMs, this.#world, 'writer', '', () => {
      if (this.#host.isOn) void run()
    })
  }

  #later(delayMs: number, run: () => void): void {
    this.#world.schedule(delayMs, this.#world, 'operator', '', run)
  }
}

export function clusterOf(process: SimulatedProcess): Cluster {
  return new Cluster(process.runtime, {
    bootstrap: [{ host: brokerHost, port: brokerPort }],
    clientId: process.shortName,
    requestTimeoutMs: 1000,
    allowAutoTopicCreation: false,
  })
}

function hasTopic(error: unknown): boolean {
  return /TOPIC_ALREADY_EXISTS/.test(String(error))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `, ${error.message}` : ''
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
