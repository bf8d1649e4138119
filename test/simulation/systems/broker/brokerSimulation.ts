// One run of the system `broker`: brokers and clients in a simulated world, through a safety phase
// with faults and a liveness phase without, and what must hold in both.

import { Admin } from '../../../../protocol/client/admin.ts'
import { ErrorCode, KafkaError } from '../../../../protocol/kafka/errors.ts'
import { Recorder } from '../../checkers/history.ts'
import { checkKafka } from '../../checkers/kafka.ts'
import { FaultInjector, type Operator } from '../../plan/faultInjector.ts'
import type { Outcome } from '../../plan/outcome.ts'
import type { Plan } from '../../plan/plan.ts'
import { SimulatedNetwork } from '../../world/network/simulatedNetwork.ts'
import { SeededRarePoints } from '../../world/seededRarePoints.ts'
import { SimulatedHost } from '../../world/simulatedHost.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { TraceOptions } from '../../world/trace.ts'
import { watchRejections } from '../../world/unhandledRejections.ts'
import { World } from '../../world/world.ts'
import { Findings } from '../scene/findings.ts'
import type { BrokerLoad, BrokerParameters } from './brokerParameters.ts'
import {
  type BrokerRun,
  brokerPort,
  brokerProcess,
  runBroker,
  stopBroker,
} from './brokerProgram.ts'
import { Client, type ClientProgram, messageOf, type Shared } from './clients/client.ts'
import { type ClientSpec, clientsOf, groupsOf } from './clients/clients.ts'
import { ObservedLogger } from './observedLogger.ts'
import { ReadingProgress } from './readingProgress.ts'
import { StrayLogs } from './strayLogs.ts'

/** Limit on the events of a phase; more of them are an endless loop. */
const mostEvents = 400_000
/** How long the operator of a broker takes to start it again after it ended by itself, in ms. */
const restartMs = 50
/** How often an operator looks at the health of the brokers, in ms. */
const operatorMs = 300

export interface BrokerPlan extends Plan<BrokerParameters> {
  readonly load: BrokerLoad
}

interface RunningClient extends ClientSpec {
  isDone: boolean
}

export class BrokerSimulation implements Operator {
  readonly #plan: BrokerPlan
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #injector: FaultInjector
  readonly #recorder: Recorder
  readonly #shared: Shared
  readonly #brokers = new Map<string, BrokerRun>()
  readonly #clients = new Map<string, RunningClient>()
  readonly #findings: Findings
  readonly #rarePoints: SeededRarePoints[] = []
  readonly #hasDiskFaults: boolean
  readonly #strays = new StrayLogs()
  #isHealed = false
  #isDone = false

  constructor(plan: BrokerPlan, trace?: TraceOptions) {
    this.#plan = plan
    const world = new World({ seed: plan.seed, ...(trace && { trace }) })
    this.#world = world
    this.#findings = new Findings(world)
    this.#network = new SimulatedNetwork(world, plan.network)
    for (const host of plan.hosts) {
      this.#hosts.set(host.name, new SimulatedHost(world, this.#network, host.name, host))
    }
    this.#injector = new FaultInjector(world, this.#network, this.#hosts, this)
    this.#injector.onFault = (_fault, description) => this.#findings.note('fault', description)
    this.#hasDiskFaults = plan.faults.some(({ kind }) => kind === 'failCall' || kind === 'fillDisk')
    this.#recorder = new Recorder(() => world.nowMs)
    this.#shared = {
      recorder: this.#recorder,
      parameters: plan.parameters,
      bootstrap: plan.parameters.brokers.map(({ host }) => ({ host, port: brokerPort })),
      isOver: false,
      writersAreDone: false,
      readersAreDone: false,
      progress: new ReadingProgress(),
      nowMs: () => world.nowMs,
      memories: new Map(),
      violate: (name, message) => this.#findings.violate(name, message),
      reached: (mark) => world.marks.reached(mark),
      note: (who, what) => this.#findings.note(who, what),
    }
  }

  async run(): Promise<Outcome> {
    const stopWatching = watchRejections(this.#world)
    try {
      await this.#runPhases()
    } finally {
      stopWatching()
    }
    this.#checkHistory()
    return this.#findings.outcome(this.#recorder.history)
  }

  /** For the faults: a process that is down starts again. */
  start(host: SimulatedHost, process: string): void {
    if (process === brokerProcess) this.#startBroker(host)
    else this.#startClient(`${host.name}/${process}`)
  }

  stop(host: SimulatedHost, process: string): void {
    const run = this.#brokers.get(host.name)
    if (process === brokerProcess && run?.process.isAlive) stopBroker(run)
    else host.process(process)?.exit()
  }

  async #runPhases(): Promise<void> {
    const { safetyMs, livenessMs, faults, parameters } = this.#plan
    for (const { host } of parameters.brokers) this.#startBroker(this.#hosts.get(host)!)
    this.#setUp()
    this.#injector.schedule(faults)
    const end = await this.#world.run({ untilMs: safetyMs, maxEvents: mostEvents })
    if (end === 'exhausted')
      return this.#findings.violate('endless', `${mostEvents} events and no end`)
    this.#heal()
    const untilMs = safetyMs + livenessMs
    const isOver = () => this.#isDone
    const last = await this.#world.run({ untilMs, maxEvents: mostEvents, isOver })
    if (last !== 'over') this.#findings.violate('not live', this.#whatIsMissing(last))
  }

  /** A client of its own creates the topics; all others start when it has. */
  #setUp(): void {
    const { logTopic, transactionTopic, keyedTopic } = this.#plan.parameters
    const topics = [logTopic, transactionTopic]
    const { keyWriters, keyTransactions } = this.#plan.load
    if (keyWriters > 0 || keyTransactions > 0) topics.push(keyedTopic)
    const create: ClientProgram = async (client) => {
      const admin = new Admin(client.cluster, Number.POSITIVE_INFINITY)
      for (const topic of topics) {
        await client.patiently(() => admin.createTopics([topic]).catch(unlessTopicExists))
      }
    }
    const spec = { name: 'client-1/setup', program: create, isWriter: true }
    this.#clients.set(spec.name, { ...spec, isDone: false })
    for (const client of clientsOf(this.#plan.parameters, this.#plan.load)) {
      this.#clients.set(client.name, { ...client, isDone: false })
    }
    this.#startClient(spec.name)
  }

  #startBroker(host: SimulatedHost): void {
    const onEnd = (end: string, error: unknown) => {
      this.#findings.note(
        host.name,
        `the broker process ended: ${end}${error ? `, ${messageOf(error)}` : ''}`,
      )
      if (end === 'killed' || end === 'power') return
      this.#later(restartMs, () => {
        if (!host.isOn || host.process(brokerProcess) !== undefined) return
        if (this.#isHealed) this.#strays.remove(host, this.#dataDirectories)
        this.#startBroker(host)
      })
    }
    const spec = this.#plan.parameters.brokers.find((broker) => broker.host === host.name)!
    const rarePoints = this.#newRarePoints(host)
    this.#findings.note(host.name, 'the broker process starts')
    const process = host.start(
      brokerProcess,
      async (process) => {
        const config = { 'node.id': spec.nodeId, ...this.#plan.parameters.config }
        try {
          await runBroker(run, config, this.#logger(process))
        } catch (error) {
          if (!this.#hasDiskFaults) {
            this.#findings.violate('no start', `${host.name} does not start: ${messageOf(error)}`)
          }
          process.end('exited', error)
        }
      },
      { rarePoints, onEnd },
    )
    const run: BrokerRun = { process, broker: undefined, isStopping: false }
    this.#brokers.set(host.name, run)
  }

  get #dataDirectories(): string[] {
    return (this.#plan.parameters.config['log.dirs'] ?? '/data').split(',')
  }

  #newRarePoints(host: SimulatedHost): SeededRarePoints {
    const random = this.#world.random.fork(`rare points of ${host.name}`)
    const rarePoints = new SeededRarePoints(this.#plan.rare, random, this.#world.marks)
    if (this.#isHealed) rarePoints.stop()
    this.#rarePoints.push(rarePoints)
    return rarePoints
  }

  #startClient(name: string): void {
    const client = this.#clients.get(name)
    if (client === undefined || client.isDone) return
    const [hostName, processName] = name.split('/') as [string, string]
    const host = this.#hosts.get(hostName)!
    if (!host.isOn || host.process(processName) !== undefined) return
    const onEnd = (end: string) => {
      if (client.isDone) return
      this.#findings.note(name, `the client ended: ${end}`)
      this.#recorder.note(process.name, { kind: 'crash' })
      if (end === 'failed') this.#later(restartMs, () => this.#startClient(name))
    }
    const process = host.start(
      processName,
      async (process) => {
        const running = new Client(process, this.#shared)
        await client.program(running)
        client.isDone = true
        await running.cluster.close()
        process.exit()
        if (name.endsWith('/setup')) this.#startClients()
        this.#advance()
      },
      { rarePoints: this.#newRarePoints(host), onEnd },
    )
  }

  #startClients(): void {
    for (const name of this.#clients.keys()) this.#startClient(name)
  }

  #heal(): void {
    this.#findings.note('fault', 'everything is repaired; no fault from here on')
    this.#isHealed = true
    this.#injector.heal()
    for (const points of this.#rarePoints) points.stop()
    for (const { host } of this.#plan.parameters.brokers) {
      const at = this.#hosts.get(host)!
      if (at.process(brokerProcess) === undefined) this.#startBroker(at)
    }
    const setup = this.#clients.get('client-1/setup')!
    if (setup.isDone) this.#startClients()
    else this.#startClient(setup.name)
    this.#operate()
    this.#shared.isOver = true
    this.#recorder.note('operator', { kind: 'mark', name: 'liveness' })
    this.#advance()
  }

  /** Restarts brokers that say that they need it: one of their data directories has failed. */
  #operate(): void {
    for (const run of this.#brokers.values()) {
      if (!run.process.isAlive || run.broker === undefined || run.isStopping) continue
      const [reason] = run.broker.health.unhealthy()
      if (reason === undefined && this.#strays.isEmpty) continue
      const why = reason?.message ?? 'logs of deleted topics are in the way'
      this.#findings.note('operator', `restarts ${run.process.name}: ${why}`)
      if (reason) this.#world.marks.reached('a broker with a failed data directory was restarted')
      stopBroker(run)
    }
    this.#later(operatorMs, () => this.#operate())
  }

  /** Goes on to the next part of the end once the clients of the one before are done. */
  #advance(): void {
    const clients = [...this.#clients.values()]
    const shared = this.#shared
    if (!shared.isOver) return
    if (clients.every((client) => !client.isWriter || client.isDone)) shared.writersAreDone = true
    if (!shared.writersAreDone) return
    const isRead = clients.every((client) => client.isWriter || client.group || client.isDone)
    if (!isRead) return
    const groups = groupsOf(this.#plan.load)
    if (groups.every((group) => shared.progress.hasReadAll(group))) shared.readersAreDone = true
    if (clients.every((client) => client.isDone)) this.#audit(groups)
    else if (!shared.readersAreDone) this.#later(10, () => this.#advance())
  }

  #audit(groups: readonly string[]): void {
    this.#recorder.note('operator', { kind: 'mark', name: 'caughtUp' })
    for (const group of groups) {
      const missing = this.#shared.progress.neverPolled(group)
      if (missing.length === 0) continue
      this.#findings.violate(
        'skipped by its group',
        `group ${group} never polled ${missing.join(', ')}`,
      )
    }
    const { progress } = this.#shared
    this.#hosts.get('client-1')!.start('auditor', async (process) => {
      const { cluster } = new Client(process, this.#shared)
      const admin = new Admin(cluster, Number.POSITIVE_INFINITY)
      for (const group of progress.transactionGroups) {
        const offsets = await admin.committedOffsets(group)
        const found = offsets.get(this.#plan.parameters.logTopic.name)?.get(0) ?? -1
        const possible = progress.possibleOffsets(group)
        if (possible.includes(found)) continue
        const expected = possible.join(' or ')
        this.#findings.violate(
          'offset of a transaction',
          `${group} is at ${found}, expected ${expected}`,
        )
      }
      this.#isDone = true
    })
  }

  #logger(process: SimulatedProcess): ObservedLogger {
    return new ObservedLogger((level, fields, message) => {
      if (!process.isAlive) return
      const details = level === 'info' ? '' : ` ${JSON.stringify(fields, errorsAsText)}`
      this.#findings.note(process.name, `${level}: ${message}${details}`)
      this.#world.marks.reached(`log: ${message}`)
      this.#strays.note(fields, message)
      if (level === 'error' && !this.#hasDiskFaults) {
        this.#findings.violate('error logged', `${process.name}: ${message}${details}`)
      }
    })
  }

  #checkHistory(): void {
    const options = { delivery: 'idempotent', isolation: 'read_committed' } as const
    for (const { name, message, evidence } of checkKafka(this.#recorder.history, options)
      .forbidden) {
      const timeMs = Math.max(0, ...evidence.map((entry) => entry.timeMs))
      this.#findings.violations.push({
        name,
        message,
        timeMs,
        evidence: evidence.map(({ id }) => id),
      })
    }
  }

  #whatIsMissing(end: string): string {
    const clients = [...this.#clients.values()].filter((client) => !client.isDone)
    const names = clients.map(({ name }) => name).join(', ') || 'the auditor'
    return `${end}: ${names} not done ${this.#plan.livenessMs} ms after everything was repaired`
  }

  #later(delayMs: number, run: () => void): void {
    this.#world.schedule(delayMs, this.#world, 'operator', '', run)
  }
}

function unlessTopicExists(error: unknown): void {
  const isThere = error instanceof KafkaError && error.errorCode === ErrorCode.topicAlreadyExists
  if (!isThere) throw error
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
