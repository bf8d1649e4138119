// The load of one member of a chaos run: writes and reads registers, stands for election, takes
// locks and writes with their fencing tokens, and keeps itself registered, until `finish`. Reports
// each call before it is made. The same in the process of the test and in one of its own.
//
// Must never guess an outcome: what is not answered is reported as unknown.

import { createHash } from 'node:crypto'
import type {
  Coordination,
  Session,
  TreeReader,
} from '../../../../protocol/coordination/coordination.ts'
import {
  CoordinationError,
  TransactionError,
} from '../../../../protocol/coordination/coordinationError.ts'
import { LeaderElection } from '../../../../protocol/coordination/recipes/leaderElection.ts'
import { Lock } from '../../../../protocol/coordination/recipes/lock.ts'
import { firstPlace } from '../../../../protocol/coordination/recipes/queuePlace.ts'
import { Registration } from '../../../../protocol/coordination/recipes/registration.ts'
import { retryUntilKnown } from '../../../../protocol/coordination/recipes/retry.ts'
import type { TreeEvent } from '../../../../protocol/coordination/tree/operation.ts'
import { type Random, seededRandom, systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemClock as clock, sleep } from '../../../../protocol/runtime/time/clock.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'
import type { NodeInput, NodeOutput } from '../../../simulation/checkers/coordinationModel.ts'
import type { ChaosMemberPlan } from './chaosCoordination.ts'
import {
  type CallInput,
  type CallOutcome,
  type MemberState,
  nowUs,
  type Report,
} from './chaosEvents.ts'

export const chaosPaths = {
  registers: '/registers',
  fenced: '/fenced',
  locks: '/locks',
  election: '/election',
  group: '/processes',
} as const
export const lockNames = ['a', 'b'] as const

/** Registers at a time, and how long each is used: shorter histories are checked faster. */
const registerCount = 4
const registerMs = 6000
const sampleMs = 20
const sessionTimeoutMs = 6000
const refusals = ['NODE_EXISTS', 'NO_NODE', 'BAD_VERSION']

export class ChaosMember {
  readonly #plan: ChaosMemberPlan
  readonly #coordination: Coordination
  readonly #report: Report
  readonly #random: Random
  readonly #registration: Registration
  /** What tells the token of a tenure while it is certain. */
  readonly #tenures = new Map<string, () => number | undefined>()
  readonly #over = new AbortController()
  readonly #closed = new AbortController()
  readonly #whenOver: Promise<void>
  readonly #loops: Promise<void>[]
  #election: LeaderElection | undefined
  #count = 0

  constructor(plan: ChaosMemberPlan, coordination: Coordination, report: Report) {
    this.#plan = plan
    this.#coordination = coordination
    this.#report = report
    this.#random = seededRandom(plan.seed)
    const { name } = plan
    coordination.onStatus((status) => {
      report({ kind: 'status', member: name, status, problem: coordination.problem, at: nowUs() })
    })
    this.#registration = new Registration({
      ...{ coordination, clock, logger: new MemoryLogger(), group: chaosPaths.group, name },
      ...{ about: {}, sessionTimeoutMs },
    })
    this.#whenOver = new Promise((resolve) => {
      this.#over.signal.addEventListener('abort', () => resolve())
    })
    this.#watchRegisters()
    void this.#sample()
    const loops = [
      this.#repeat(() => this.#useRegister()),
      this.#repeat(() => this.#useRegister()),
      this.#repeat(() => this.#observe(), 500),
      this.#withSessions((session) => this.#stand(session)),
      ...lockNames.map((lock) => this.#withSessions((session) => this.#takeLock(session, lock))),
    ]
    this.#loops = loops.map((loop) => loop.catch((error) => this.#ignoreClosed(error)))
  }

  /** Ends the load when all calls are answered, and stands for election once more. */
  async finish(): Promise<void> {
    this.#over.abort()
    await Promise.all(this.#loops)
    this.#standToTheEnd().catch((error) => this.#ignoreClosed(error))
  }

  state(): MemberState {
    const { tree, status } = this.#coordination
    const { sequence, pendingRequests } = this.#coordination.figures()
    return {
      ...{ name: this.#plan.name, status, sequence, pendingRequests },
      tree: digestOfTree(tree),
      leads: this.#election?.epoch,
      sees: firstPlace(tree, chaosPaths.election)?.createdZxid,
      registered: tree.children(chaosPaths.group) ?? [],
      isRegistered: this.#registration.isRegistered,
    }
  }

  async close(): Promise<void> {
    this.#over.abort()
    this.#closed.abort()
    await this.#coordination.close()
    await this.#registration.close()
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted
  }

  #id(): string {
    return `${this.#plan.name}-${++this.#count}`
  }

  #between(least: number, most: number): number {
    return least + this.#random.below(most - least)
  }

  async #pause(most: number): Promise<void> {
    await sleep(clock, this.#random.below(most), this.#over.signal)
  }

  async #repeat(act: () => Promise<void>, pauseMs = 80): Promise<void> {
    while (!this.#isOver) {
      await act()
      await this.#pause(pauseMs)
    }
  }

  /** With a new session whenever one has ended. */
  async #withSessions(act: (session: Session) => Promise<void>): Promise<void> {
    let session: Session | undefined
    while (!this.#isOver) {
      if (session === undefined || session.hasEnded) session = await this.#openSession()
      await act(session)
      await this.#pause(100)
      if (this.#random.below(12) === 0) await retryUntilKnown(clock, () => session!.close())
    }
  }

  #openSession(): Promise<Session> {
    const timeoutMs = this.#between(3000, sessionTimeoutMs)
    const options = { timeoutMs, name: this.#plan.name }
    return retryUntilKnown(clock, () => this.#coordination.openSession(options))
  }

  async #call(input: CallInput, make: () => Promise<CallOutcome>): Promise<void> {
    const call = this.#id()
    this.#report({ kind: 'call', call, member: this.#plan.name, input, at: nowUs() })
    const outcome = await make().catch(outcomeOf)
    this.#report({ kind: 'return', call, outcome, at: nowUs() })
  }

  async #useRegister(): Promise<void> {
    const round = Math.floor((nowUs() - this.#plan.startedAt) / 1000 / registerMs)
    const path = `${chaosPaths.registers}/${round}-${this.#random.below(registerCount)}`
    const draw = this.#random.below(100)
    const known = this.#coordination.tree.exists(path)
    if (draw < 35) return this.#read(path)
    const data = `${this.#plan.name}/${++this.#count}`
    if (known === undefined || draw < 40) return this.#write({ path, kind: 'create', data })
    const version = draw % 2 === 0 ? {} : { version: known.version }
    if (draw < 95) return this.#write({ path, kind: 'set', data, ...version })
    return this.#write({ path, kind: 'delete', ...version })
  }

  #read(path: string): Promise<void> {
    return this.#call({ path, kind: 'get' }, async () => {
      await this.#coordination.sync()
      const node = this.#coordination.tree.get(path)
      if (node === undefined) return answered({ error: 'NO_NODE' })
      const { version, modifiedZxid: zxid } = node.stat
      return answered({ data: textOf(node.data), version, zxid })
    })
  }

  #write(input: Exclude<NodeInput, { readonly kind: 'get' }>): Promise<void> {
    const { path, kind } = input
    const version = 'version' in input ? { version: input.version! } : {}
    const data = 'data' in input ? Buffer.from(input.data) : Buffer.alloc(0)
    return this.#call(input, async () => {
      const operation =
        kind === 'delete'
          ? { type: kind, path, ...version }
          : { type: kind, path, data, ...version }
      const [result] = await this.#coordination.transact([operation])
      const { stat } = result!
      return answered(stat ? { version: stat.version, zxid: stat.modifiedZxid } : {})
    })
  }

  async #observe(): Promise<void> {
    const calledAt = nowUs()
    try {
      await this.#coordination.sync()
    } catch (error) {
      if (isKnownFailure(error)) return
      throw error
    }
    const { tree } = this.#coordination
    const place = firstPlace(tree, chaosPaths.election)
    if (place === undefined) return
    const leader = textOf(tree.get(place.path)!.data)
    const { name: member } = this.#plan
    const { createdZxid: epoch } = place
    this.#report({ kind: 'observed', member, leader, epoch, calledAt, at: nowUs() })
  }

  /** Some tenures are long enough to be lost. */
  #tenureMs(): number {
    return this.#random.below(4) === 0 ? 10_000 : 500
  }

  #join(queue: string): string {
    const tenure = this.#id()
    this.#report({ kind: 'join', tenure, member: this.#plan.name, queue, at: nowUs() })
    return tenure
  }

  #mark(kind: 'leave' | 'left', tenure: string): void {
    this.#report({ kind, tenure, at: nowUs() })
  }

  /** Stands for election, leads for a while, resigns. */
  async #stand(session: Session): Promise<void> {
    const tenure = this.#join(chaosPaths.election)
    const elected = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    const election = await this.#candidacy(session, tenure, elected.resolve, ended.resolve)
    if (election === undefined) return
    this.#tenures.set(tenure, () => election.epoch)
    await Promise.race([elected.promise, ended.promise, this.#whenOver])
    await Promise.race([this.#pause(this.#tenureMs()), ended.promise])
    this.#mark('leave', tenure)
    await election.resign()
    this.#tenures.delete(tenure)
    this.#mark('left', tenure)
  }

  /** Another candidacy whenever one has ended with its session. */
  async #standToTheEnd(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      const tenure = this.#join(chaosPaths.election)
      const session = await this.#openSession()
      const ended = Promise.withResolvers<void>()
      const election = await this.#candidacy(session, tenure, () => {}, ended.resolve)
      if (election === undefined) continue
      this.#election = election
      this.#tenures.set(tenure, () => election.epoch)
      await ended.promise
      this.#tenures.delete(tenure)
    }
  }

  async #candidacy(
    session: Session,
    tenure: string,
    onElected: () => void,
    onEnded: () => void,
  ): Promise<LeaderElection | undefined> {
    const options = {
      ...{ coordination: this.#coordination, session, clock, random: systemRandom() },
      ...{ path: chaosPaths.election, data: Buffer.from(tenure) },
    }
    let isTold = false
    try {
      return await LeaderElection.join(options, {
        onElected: (token) => {
          if (!isTold) this.#report({ kind: 'held', tenure, token, at: nowUs() })
          isTold = true
          onElected()
        },
        onLost: () => {},
        onEnded,
      })
    } catch (error) {
      if (isKnownFailure(error)) return undefined
      throw error
    }
  }

  /** Takes the lock, writes with its token, releases it; gives up sometimes. */
  async #takeLock(session: Session, name: string): Promise<void> {
    const queue = `${chaosPaths.locks}/${name}`
    const tenure = this.#join(queue)
    const options = { coordination: this.#coordination, clock, random: systemRandom(), path: queue }
    const impatient = AbortSignal.timeout(this.#between(1000, 30_000))
    const signal = AbortSignal.any([impatient, this.#over.signal])
    const lock = await new Lock(options).acquire(session, signal).catch((error: unknown) => {
      if (signal.aborted || isKnownFailure(error)) return undefined
      throw error
    })
    if (lock === undefined) return
    const token = lock.fencingToken
    this.#report({ kind: 'held', tenure, token, at: nowUs() })
    this.#tenures.set(tenure, () => (lock.isHeld ? token : undefined))
    for (let writes = this.#between(1, 4); writes > 0 && !this.#isOver; writes--) {
      await this.#writeFenced(name, token)
      await Promise.race([this.#pause(this.#tenureMs() / 3), lock.ended])
    }
    this.#mark('leave', tenure)
    await lock.release()
    this.#tenures.delete(tenure)
    this.#mark('left', tenure)
    // As a holder does that was paused: refused, if another holder has written since.
    if (this.#random.below(4) === 0) await this.#writeFenced(name, token)
  }

  #writeFenced(lock: string, token: number): Promise<void> {
    const path = `${chaosPaths.fenced}/${lock}`
    const data = `${token} ${this.#plan.name}/${++this.#count}`
    return this.#call({ kind: 'write', lock, token, data }, async () => {
      for (;;) {
        const isRead = await this.#synced()
        if (!isRead) return { type: 'refused' }
        const { data: stored, stat } = this.#coordination.tree.get(path)!
        if (Number.parseInt(textOf(stored), 10) > token) return answered(false)
        const set = { type: 'set' as const, path, data: Buffer.from(data), version: stat.version }
        try {
          await this.#coordination.transact([set])
          return answered(true)
        } catch (error) {
          if (!(error instanceof TransactionError) || error.code !== 'BAD_VERSION') throw error
        }
      }
    })
  }

  async #synced(): Promise<boolean> {
    try {
      await this.#coordination.sync()
      return true
    } catch (error) {
      if (isKnownFailure(error)) return false
      throw error
    }
  }

  /** A run that failed is closed while calls are in flight. */
  #ignoreClosed(error: unknown): void {
    const isClosed = error instanceof CoordinationError && error.code === 'COORDINATION_CLOSED'
    if (!isClosed || !this.#closed.signal.aborted) throw error
  }

  /** A watch misses no change, also when the member was cut off. */
  #watchRegisters(): void {
    const { tree } = this.#coordination
    const { name: member } = this.#plan
    const known = new Map<string, number | undefined>()
    for (const name of tree.children(chaosPaths.registers) ?? []) {
      const path = `${chaosPaths.registers}/${name}`
      known.set(path, tree.exists(path)?.version)
    }
    const onEvent = ({ type, path }: TreeEvent) => {
      if (path === chaosPaths.registers) return
      const before = known.get(path)
      const expected = type === 'changed' ? (before ?? Number.NaN) + 1 : undefined
      const version = this.#coordination.tree.exists(path)?.version
      const isMissed =
        type === 'changed' ? version !== expected : (before === undefined) !== (type === 'created')
      known.set(path, version)
      if (!isMissed) return
      const message = `a watch missed a change: ${type} ${path}, version ${before} to ${version}`
      this.#report({ kind: 'missed', member, message, at: nowUs() })
    }
    this.#coordination.watch(chaosPaths.registers, 'recursive', { onEvent })
  }

  async #sample(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      for (const [tenure, tokenOf] of this.#tenures) {
        const after = nowUs()
        const token = tokenOf()
        const before = nowUs()
        if (token !== undefined) this.#report({ kind: 'certain', tenure, after, before })
      }
      await sleep(clock, sampleMs, signal)
    }
  }
}

function answered(output: NodeOutput | boolean): CallOutcome {
  return { type: 'answered', output }
}

/** What a failed call says about its effect. Throws what no member may answer. */
function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof TransactionError && refusals.includes(error.code)) {
    return answered({ error: error.code as 'NO_NODE' })
  }
  if (!isKnownFailure(error)) throw error
  const isCertain = /was not made/.test((error as Error).message)
  return { type: isCertain ? 'refused' : 'unknown' }
}

function isKnownFailure(error: unknown): boolean {
  if (error instanceof TransactionError) return error.code === 'SESSION_EXPIRED'
  return error instanceof CoordinationError
}

/** Of all nodes, with all that can be read of them. */
export function digestOfTree(tree: TreeReader): string {
  const digest = createHash('sha256')
  const add = (path: string) => {
    const node = tree.get(path)!
    digest.update(`${path} ${JSON.stringify(node.stat)} `).update(node.data)
    for (const name of tree.children(path)!) add(path === '/' ? `/${name}` : `${path}/${name}`)
  }
  add('/')
  return digest.digest('hex')
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}
