// What the systems with one broker and one other program have in common: a world with hosts,
// faults, a broker that its operator starts again, topics, and what the run has shown.

import type { BrokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import { Admin } from '../../../../protocol/client/admin.ts'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { ErrorCode, KafkaError } from '../../../../protocol/kafka/errors.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { LogLevel } from '../../../../protocol/telemetry/logging/logger.ts'
import { FaultInjector, type Operator } from '../../plan/faultInjector.ts'
import type { Fault } from '../../plan/faults.ts'
import type { Outcome } from '../../plan/outcome.ts'
import type { Plan } from '../../plan/plan.ts'
import { SimulatedNetwork } from '../../world/network/simulatedNetwork.ts'
import { SeededRarePoints } from '../../world/seededRarePoints.ts'
import { SimulatedHost } from '../../world/simulatedHost.ts'
import type { ProcessEnd, SimulatedProcess } from '../../world/simulatedProcess.ts'
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
import { Findings } from './findings.ts'

/** Limit on the events of a phase; more of them are an endless loop. */
const mostEvents = 600_000
/** How long an operator takes to start a process again that ended by itself, in ms. */
export const restartMs = 50
export const brokerHost = 'broker-1'
export const clientHost = 'client-1'

/** The program of a scene, besides its broker. */
export interface Program {
  /** Name of its process, and its host. */
  readonly process: string
  readonly host: string
  start(): void
  stop(): void
  /** Starts what goes on during the safety phase. */
  begin(): Promise<void> | void
  /** Called once everything is repaired and started. Ends in `scene.done()`. */
  healed(): void
  onFault(fault: Fault): void
  onLog(process: SimulatedProcess, level: LogLevel, message: string): void
  /** What is missing, for the message of a run that does not end. */
  missing(): Promise<string> | string
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
}

export class Scene implements Operator {
  readonly world: World
  readonly hasDiskFaults: boolean
  isHealed = false
  readonly #plan: Plan
  readonly #network: SimulatedNetwork
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #injector: FaultInjector
  readonly #findings: Findings
  readonly #rarePoints: SeededRarePoints[] = []
  readonly #brokerConfig: Partial<BrokerConfig>
  readonly #topics: readonly TopicSpec[]
  #program!: Program
  #broker: BrokerRun | undefined
  #isDone = false

  constructor(
    plan: Plan,
    { broker, topics }: { broker: Partial<BrokerConfig>; topics: readonly TopicSpec[] },
    trace?: TraceOptions,
  ) {
    this.#plan = plan
    this.#brokerConfig = broker
    this.#topics = topics
    this.world = new World({ seed: plan.seed, ...(trace && { trace }) })
    this.#findings = new Findings(this.world)
    this.#network = new SimulatedNetwork(this.world, plan.network)
    for (const host of plan.hosts) {
      this.#hosts.set(host.name, new SimulatedHost(this.world, this.#network, host.name, host))
    }
    this.#injector = new FaultInjector(this.world, this.#network, this.#hosts, this)
    this.#injector.onFault = (fault, description) => {
      this.note('fault', description)
      this.#program.onFault(fault)
    }
    this.hasDiskFaults = plan.faults.some(({ kind }) => kind === 'failCall' || kind === 'fillDisk')
  }

  host(name: string): SimulatedHost {
    return this.#hosts.get(name)!
  }

  async run(program: Program): Promise<Outcome> {
    this.#program = program
    const stopWatching = watchRejections(this.world)
    try {
      await this.#runPhases()
    } finally {
      stopWatching()
    }
    return this.#findings.outcome()
  }

  /** The run has shown what it can show. */
  done(): void {
    this.#isDone = true
  }

  /** For the faults: a process that is down starts again. */
  start(_host: SimulatedHost, process: string): void {
    if (process === brokerProcess) this.#startBroker()
    else if (process === this.#program.process) this.#program.start()
  }

  stop(host: SimulatedHost, process: string): void {
    if (process === brokerProcess && this.#broker?.process.isAlive) stopBroker(this.#broker)
    else if (process === this.#program.process) this.#program.stop()
    else host.process(process)?.exit()
  }

  rarePoints(name: string): SeededRarePoints {
    const random = this.world.random.fork(`rare points of ${name}`)
    const points = new SeededRarePoints(this.#plan.rare, random, this.world.marks)
    if (this.isHealed) points.stop()
    this.#rarePoints.push(points)
    return points
  }

  /** A program whose start was refused: a violation, unless a failed system call explains it. */
  refusedStart(process: SimulatedProcess, error: unknown, isInexcusable: boolean): void {
    if (isInexcusable || !this.hasDiskFaults) {
      const detail = error instanceof Error ? error.stack : String(error)
      this.violate('no start', `${process.name} does not start: ${detail}`)
    }
    process.end('exited', error)
  }

  logger(process: SimulatedProcess): ObservedLogger {
    return new ObservedLogger((level, fields, message) => {
      if (!process.isAlive) return
      const details = level === 'info' ? '' : ` ${JSON.stringify(fields, errorsAsText)}`
      this.note(process.name, `${level}: ${message}${details}`)
      this.world.marks.reached(`log: ${message.slice(0, 60)}`)
      if (process.shortName === brokerProcess && level === 'error' && !this.hasDiskFaults) {
        this.violate('error logged', `${process.name}: ${message}${details}`)
      }
      this.#program.onLog(process, level, `${message}${details}`)
    })
  }

  violate(name: string, message: string): void {
    this.#findings.violate(name, message)
  }

  note(who: string, what: string): void {
    this.#findings.note(who, what)
  }

  later(delayMs: number, run: () => void): void {
    this.world.schedule(delayMs, this.world, 'operator', '', run)
  }

  async #runPhases(): Promise<void> {
    const { safetyMs, livenessMs, faults } = this.#plan
    await this.#program.begin()
    this.#startBroker()
    this.#createTopics()
    this.#program.start()
    this.#injector.schedule(faults)
    const end = await this.world.run({ untilMs: safetyMs, maxEvents: mostEvents })
    if (end === 'exhausted') return this.violate('endless', `${mostEvents} events and no end`)
    this.#heal()
    const untilMs = safetyMs + livenessMs
    const isOver = () => this.#isDone
    const last = await this.world.run({ untilMs, maxEvents: mostEvents, isOver })
    if (last === 'over') return
    const missing = await this.#program.missing()
    this.violate('not live', `${last}, ${livenessMs} ms after everything was repaired: ${missing}`)
  }

  #heal(): void {
    this.note('fault', 'everything is repaired; no fault from here on')
    this.isHealed = true
    this.#injector.heal()
    for (const points of this.#rarePoints) points.stop()
    this.#startBroker()
    this.#program.start()
    this.#program.healed()
  }

  #startBroker(): void {
    const host = this.host(brokerHost)
    if (!host.isOn || host.process(brokerProcess) !== undefined) return
    const onEnd = (end: ProcessEnd, error: unknown) => {
      this.note(host.name, `the broker process ended: ${end}${messageOf(error)}`)
      if (end !== 'killed' && end !== 'power') this.later(restartMs, () => this.#startBroker())
    }
    this.note(host.name, 'the broker process starts')
    const process = host.start(
      brokerProcess,
      async (process) => {
        try {
          await runBroker(run, { 'node.id': 1, ...this.#brokerConfig }, this.logger(process))
        } catch (error) {
          this.refusedStart(process, error, false)
        }
      },
      { rarePoints: this.rarePoints(host.name), onEnd },
    )
    const run: BrokerRun = { process, broker: undefined, isStopping: false }
    this.#broker = run
  }

  /** By a client of its own. */
  #createTopics(): void {
    this.host(clientHost).start('setup', async (process) => {
      const cluster = clusterOf(process)
      const admin = new Admin(cluster, Number.POSITIVE_INFINITY)
      for (const topic of this.#topics) {
        for (let isThere = false; !isThere; ) {
          isThere = await admin.createTopics([{ ...topic, configs: {} }]).then(() => true, hasTopic)
          if (!isThere) await sleep(process.runtime.clock, 50)
        }
      }
      await cluster.close()
      process.exit()
    })
  }
}

/** A client of the scene's broker that does not create topics. */
export function clusterOf(process: SimulatedProcess): Cluster {
  return new Cluster(process.runtime, {
    bootstrap: [{ host: brokerHost, port: brokerPort }],
    clientId: process.shortName,
    requestTimeoutMs: 1000,
    allowAutoTopicCreation: false,
  })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? `, ${error.message}` : ''
}

function hasTopic(error: unknown): boolean {
  return error instanceof KafkaError && error.errorCode === ErrorCode.topicAlreadyExists
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
