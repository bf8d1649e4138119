// One run of the system `coordination`: members and clients in a simulated world, through a safety
// phase with faults and a liveness phase without, and what must hold in both.

import type { CoordinationStatus } from '../../../../protocol/coordination/coordination.ts'
import type { LogIdentity } from '../../../../protocol/coordination/log/coordinationLog.ts'
import { ConcurrentRecorder, linearizationText } from '../../checkers/concurrentRecorder.ts'
import {
  type ElectionInput,
  type ElectionOutput,
  electionProblems,
  type LockInput,
  type LockOutput,
  lockModel,
  type NodeInput,
  type NodeOutput,
  nodeModel,
} from '../../checkers/coordinationModel.ts'
import { checkLinearizable, type Model } from '../../checkers/linearizable.ts'
import { FaultInjector, type Operator } from '../../plan/faultInjector.ts'
import type { Outcome } from '../../plan/outcome.ts'
import type { Plan } from '../../plan/plan.ts'
import { SimulatedNetwork } from '../../world/network/simulatedNetwork.ts'
import { SimulatedHost } from '../../world/simulatedHost.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { TraceOptions } from '../../world/trace.ts'
import { watchRejections } from '../../world/unhandledRejections.ts'
import { World } from '../../world/world.ts'
import { ObservedLogger } from '../broker/observedLogger.ts'
import { Findings } from '../scene/findings.ts'
import type { Shared } from './clients/client.ts'
import { clientsOf } from './clients/clients.ts'
import type { CoordinationParameters } from './coordinationParameters.ts'
import { DamageOperator } from './damageOperator.ts'
import { LogWire } from './log/logWire.ts'
import { logHost, logProcess, SimulatedLog } from './log/simulatedLog.ts'
import { MemberNode, memberProcess } from './memberNode.ts'
import { ReferenceLog } from './referenceLog.ts'

export type CoordinationPlan = Plan<CoordinationParameters>

/** Limit on the events of a phase; more of them are an endless loop. */
const mostEvents = 400_000
/** Interval of comparisons of members with the reference, in ms. */
const auditMs = 2000
const settleMs = 200
/** Steps of the search for a linearization: what is not decided then is not judged. */
const mostSteps = 300_000

export class CoordinationSimulation implements Operator {
  readonly #plan: CoordinationPlan
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #hosts = new Map<string, SimulatedHost>()
  readonly #injector: FaultInjector
  readonly #nodes = new Map<string, MemberNode>()
  readonly #shared: Shared
  readonly #damage: DamageOperator
  readonly #findings: Findings
  #isLive = false
  #isDone = false
  #missing = ''

  constructor(plan: CoordinationPlan, trace?: TraceOptions) {
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
    this.#shared = this.#newShared()
    this.#damage = new DamageOperator({
      ...{ world, hosts: this.#hosts, shared: this.#shared, plan: plan.parameters.damage },
      nodes: () => [...this.#nodes.values()],
      startMember: (host) => this.start(host, memberProcess),
    })
  }

  async run(): Promise<Outcome> {
    const stopWatching = watchRejections(this.#world)
    try {
      await this.#runPhases()
    } finally {
      stopWatching()
    }
    this.#checkHistories()
    return this.#findings.outcome()
  }

  /** For the faults: a process that is down starts again. */
  start(host: SimulatedHost, process: string): void {
    if (process === logProcess) this.#startLog(host)
    else if (process === memberProcess && !this.#damage.isRepairing(host)) this.#startMember(host)
  }

  stop(host: SimulatedHost, process: string): void {
    const node = this.#nodes.get(host.name)
    if (process === memberProcess && node?.process.isAlive) node.stop()
    else host.process(process)?.exit()
  }

  #newShared(): Shared {
    const { parameters } = this.#plan
    const world = this.#world
    const wire = new LogWire(world, this.#network, parameters.log)
    const locks = new ConcurrentRecorder<LockInput, LockOutput>()
    const lockSessions = new Map<string, string>()
    const violate = (name: string, message: string) => this.#findings.violate(name, message)
    const reached = (mark: string) => world.marks.reached(mark)
    const log: SimulatedLog = new SimulatedLog(parameters.log, wire, world.random.fork('log'), {
      appended: (entry, isLate) => {
        if (isLate) reached('append: took effect after its timeout')
        reference.appended(entry)
        this.#damage.appended(entry)
      },
      snapshotWritten: (snapshot) => reference.snapshotWritten(snapshot),
    })
    const reference: ReferenceLog = new ReferenceLog(log.state.history(), {
      ...{ violate, nowMs: () => world.nowMs },
      sessionEnded: (session, hasExpired) => this.#sessionEnded(session, hasExpired),
    })
    return {
      ...{ parameters, log, wire, reference, locks, lockSessions, violate, reached },
      nodes: new ConcurrentRecorder<NodeInput, NodeOutput>(),
      elections: new ConcurrentRecorder<ElectionInput, ElectionOutput>(),
      ...{ proposals: [], barrier: new Map(), isOver: false, hasLed: false, era: 0 },
      nowMs: () => world.nowMs,
      note: (who, what) => this.#findings.note(who, what),
    }
  }

  async #runPhases(): Promise<void> {
    const { safetyMs, livenessMs, faults, parameters } = this.#plan
    this.#startLog(this.#hosts.get(logHost)!)
    for (const host of parameters.members) this.#startMember(this.#hosts.get(host)!)
    this.#injector.schedule(faults)
    for (const { atMs, host, forMs } of parameters.breaks) {
      this.#later(atMs, () => this.#breakSubscriptions(host, forMs))
    }
    this.#damage.schedule()
    this.#auditLater()
    const maxEvents = mostEvents
    const isOver = () => this.#look()
    const end = await this.#world.run({ untilMs: safetyMs, maxEvents, isOver })
    if (end === 'exhausted')
      return this.#findings.violate('endless', `${mostEvents} events and no end`)
    this.#heal()
    const untilMs = safetyMs + livenessMs
    const last = await this.#world.run({ untilMs, maxEvents, isOver })
    if (last !== 'over') this.#findings.violate('not live', `${last}: ${this.#missing}`)
  }

  #startLog(host: SimulatedHost): void {
    if (host.process(logProcess) !== undefined) return
    const process = host.start(logProcess, () => {})
    this.#shared.log.served(process)
  }

  #startMember(host: SimulatedHost): void {
    if (host.process(memberProcess) !== undefined) return
    const onEnd = (end: string) => {
      this.#findings.note(process.name, `the process ended: ${end}`)
      if (end === 'exited' || end === 'failed') this.#later(100, () => this.#restart(host))
    }
    const process = host.start(memberProcess, () => node.run(clientsOf(this.#plan.parameters)), {
      onEnd,
    })
    const node = new MemberNode(process, this.#shared, this.#logger(process))
    this.#nodes.set(host.name, node)
    this.#findings.note(process.name, 'the process starts')
  }

  #restart(host: SimulatedHost): void {
    if (host.isOn) this.start(host, memberProcess)
  }

  #breakSubscriptions(host: string, forMs: number): void {
    this.#findings.note('fault', `nothing is delivered to ${host} for ${forMs} ms`)
    const restore = this.#shared.log.breakSubscriptions(host)
    this.#world.schedule(forMs, this.#world, 'fault', 'subscriptions', restore)
  }

  /** After every event. Returns whether the run is over. */
  #look(): boolean {
    this.#lookAtLog()
    const isJudged = this.#world.nowMs >= this.#damage.judgedFromMs
    if (this.#shared.era % 2 === 0 && isJudged) this.#lookAtHolders()
    return this.#isDone
  }

  #lookAtLog(): void {
    const { log, reference } = this.#shared
    const { sessions } = reference
    const isUp = log.process?.isAlive === true && !log.process.isPaused
    if (isUp !== sessions.isStopped) return
    if (!isUp) {
      sessions.logStopped()
      return
    }
    sessions.logContinued()
    if (sessions.wasSaved()) this.#shared.reached('session: saved by the limit of a step')
  }

  /** At most one leader, and one holder of each lock, is certain at any moment. */
  #lookAtHolders(): void {
    let leader: string | undefined
    const holders = new Map<string, string>()
    for (const { process, elections, locks } of this.#nodes.values()) {
      if (!process.isAlive) continue
      for (const election of elections) {
        if (election.epoch === undefined) continue
        const name = `${process.name} (${election.epoch})`
        if (leader !== undefined)
          this.#findings.violate('two certain leaders', `${leader} and ${name}`)
        leader = name
      }
      for (const [held, lock] of locks) {
        if (!held.isHeld) continue
        const other = holders.get(lock)
        if (other)
          this.#findings.violate('two certain holders', `${other} and ${process.name} of ${lock}`)
        holders.set(lock, process.name)
      }
    }
    if (leader !== undefined && this.#isLive) this.#shared.hasLed = true
  }

  #sessionEnded(id: string, hasExpired: boolean): void {
    const lock = this.#shared.lockSessions.get(id)
    if (lock !== undefined && this.#shared.era % 2 === 0) {
      this.#shared.locks.begin('the log', { kind: 'expire', lock, session: id }).ok(true)
    }
    if (!hasExpired) return
    this.#shared.reached('session: expired')
    for (const { process, sessions } of this.#nodes.values()) {
      const session = process.isAlive ? sessions.get(id) : undefined
      if (!session?.isCertain) continue
      this.#findings.violate('expired while certain', `session ${id} of ${process.name}`)
    }
  }

  #auditLater(): void {
    this.#later(auditMs, () => {
      for (const node of this.#nodes.values()) {
        if (node.process.isAlive && !node.process.isPaused) node.audit()
      }
      this.#auditLater()
    })
  }

  /** No fault from now on; a damage of the log stays until everyone has noticed it. */
  #heal(): void {
    this.#findings.note('operator', 'everything is repaired')
    this.#isLive = true
    this.#injector.heal()
    this.#shared.wire.heal()
    for (const host of this.#hosts.values()) {
      this.start(host, host.name === logHost ? logProcess : memberProcess)
    }
    this.#shared.isOver = true
    this.#damage.heal()
    if (this.#plan.parameters.workload.candidates === 0) this.#shared.hasLed = true
    this.#settleLater()
  }

  #settleLater(): void {
    this.#later(settleMs, () => {
      this.#missing = this.#whatIsMissing() ?? ''
      this.#isDone = this.#missing === ''
      if (!this.#isDone) this.#settleLater()
      else for (const node of this.#nodes.values()) node.audit()
    })
  }

  /** What has still to happen before everything is as it should be after a while without faults. */
  #whatIsMissing(): string | undefined {
    const { era, reference, log } = this.#shared
    if (era % 2 === 1) return 'the log is damaged'
    for (const host of this.#plan.parameters.members) {
      const node = this.#nodes.get(host)!
      const { member, process, working } = node
      if (member === undefined || !process.isAlive) return `${process.name} has no member`
      const status: CoordinationStatus = member.status
      if (status !== 'connected') return `${process.name} is ${status}: ${member.problem ?? ''}`
      if (working > 0) return `${working} clients of ${process.name} are not done`
      const { zxid } = member.tree
      const expected = reference.replica.tree.zxid
      if (zxid !== expected) return `${process.name} is at ${zxid}, the log at ${expected}`
    }
    const [left] = reference.replica.sessions.values()
    if (left !== undefined) return `the session ${left.id} of ${left.name} lives on`
    const identity: LogIdentity = log.state.identity
    return identity.id === reference.replica.identity.id ? undefined : 'another log'
  }

  #checkHistories(): void {
    const { nodes, locks, elections, proposals, reference } = this.#shared
    reference.compare()
    this.#checkModel('registers are not linearizable', nodeModel, nodes)
    this.#checkModel('lock is not linearizable', lockModel, locks)
    for (const problem of electionProblems(elections.operations)) {
      this.#findings.violate('election', problem)
    }
    for (const { token, era, answer } of proposals) {
      if (era % 2 === 1) continue
      const times = reference.effectOf(token)?.times ?? 0
      if (answer === 'unmade' && times > 0) this.#findings.violate('made after all', token)
      if (answer === 'done' && times === 0) this.#findings.violate('lost', token)
    }
  }

  #checkModel<State, Input, Output>(
    name: string,
    model: Model<State, Input, Output>,
    { operations }: ConcurrentRecorder<Input, Output>,
  ): void {
    const result = checkLinearizable(model, operations, mostSteps)
    if (result.outcome === 'unknown') this.#shared.reached(`undecided: ${name}`)
    if (result.outcome === 'not linearizable')
      this.#findings.violate(name, linearizationText(result))
  }

  #logger(process: SimulatedProcess): ObservedLogger {
    return new ObservedLogger((level, _fields, message) => {
      if (!process.isAlive) return
      this.#world.marks.reached(`log: ${message}`)
      if (level !== 'info') this.#findings.note(process.name, `${level}: ${message}`)
      if (level === 'error' && this.#shared.era % 2 === 0 && !this.#damage.hasBeen) {
        this.#findings.violate('damage without damage', `${process.name}: ${message}`)
      }
    })
  }

  #later(delayMs: number, run: () => void): void {
    this.#world.schedule(delayMs, this.#world, 'operator', '', run)
  }
}
