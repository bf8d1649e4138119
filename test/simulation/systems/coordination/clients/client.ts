// A client in the process of a member: works until the safety phase is over, completes what it has
// begun, and records what it asked and was answered.

import type { Coordination, Session } from '../../../../../protocol/coordination/coordination.ts'
import {
  CoordinationError,
  TransactionError,
} from '../../../../../protocol/coordination/coordinationError.ts'
import type { Random } from '../../../../../protocol/runtime/random.ts'
import { type Clock, sleep } from '../../../../../protocol/runtime/time/clock.ts'
import type { ConcurrentRecorder } from '../../../checkers/concurrentRecorder.ts'
import type {
  ElectionInput,
  ElectionOutput,
  LockInput,
  LockOutput,
  NodeInput,
  NodeOutput,
} from '../../../checkers/coordinationModel.ts'
import type { CoordinationParameters } from '../coordinationParameters.ts'
import type { LogWire } from '../log/logWire.ts'
import type { SimulatedLog } from '../log/simulatedLog.ts'
import type { MemberNode } from '../memberNode.ts'
import type { ReferenceLog } from '../referenceLog.ts'

/** What the clients of one run share: nothing that a real client could not know. */
export interface Shared {
  readonly parameters: CoordinationParameters
  readonly log: SimulatedLog
  readonly wire: LogWire
  readonly reference: ReferenceLog
  readonly nodes: ConcurrentRecorder<NodeInput, NodeOutput>
  readonly locks: ConcurrentRecorder<LockInput, LockOutput>
  readonly elections: ConcurrentRecorder<ElectionInput, ElectionOutput>
  /** What became of the tokens that clients proposed. */
  readonly proposals: Proposal[]
  /** Sessions that may hold a lock, with the lock. */
  readonly lockSessions: Map<string, string>
  readonly barrier: Map<string, number>
  /** Whether the safety phase is over: clients begin nothing new. */
  isOver: boolean
  /** Whether candidates need not wait for a leader any more. */
  hasLed: boolean
  /**
   * Even while the log is as its members believe it is, odd between a damage and its repair: what
   * begins in one era and ends in another is not judged.
   */
  era: number
  nowMs(): number
  violate(name: string, message: string): void
  reached(mark: string): void
  note(who: string, what: string): void
}

export interface Proposal {
  readonly token: string
  readonly era: number
  /** `unmade`: answered that it was not made, and will not be. */
  answer: 'none' | 'done' | 'unmade' | 'unknown'
}

export type ClientProgram = (client: Client) => Promise<void>

export class Client {
  readonly node: MemberNode
  readonly member: Coordination
  /** Unique in the run. */
  readonly name: string
  readonly random: Random
  #count = 0

  constructor(node: MemberNode, member: Coordination, name: string) {
    this.node = node
    this.member = member
    this.name = name
    this.random = node.process.random.fork(name)
  }

  get shared(): Shared {
    return this.node.shared
  }

  get workload() {
    return this.shared.parameters.workload
  }

  get isOver(): boolean {
    return this.shared.isOver
  }

  get clock(): Clock {
    return this.node.process.runtime.clock
  }

  /** Unique in the run. */
  unique(): string {
    return `${this.name}-${++this.#count}`
  }

  pause(ms: number): Promise<void> {
    return sleep(this.clock, ms)
  }

  /** Pauses for up to twice the mean. */
  think(): Promise<void> {
    return this.pause(2 * this.workload.thinkMs * this.random.float())
  }

  /** Opens a session; undefined if the clients are to end, or it could not be opened. */
  async openSession(): Promise<Session | undefined> {
    const { sessionTimeoutMs: timeoutMs } = this.workload
    const session = await this.unlessUnavailable(
      this.member.openSession({ timeoutMs, name: this.name }),
    )
    if (session === undefined) {
      await this.think()
      return undefined
    }
    const { sessions } = this.node
    sessions.set(session.id, session)
    session.onCertain((isCertain) => {
      if (!isCertain && !session.hasEnded) this.shared.reached('session: lost certainty')
    })
    void session.ended.then(() => sessions.delete(session.id))
    return session
  }

  /** Closes the session, as far as that is possible. */
  async closeSession(session: Session): Promise<void> {
    while (!session.hasEnded) {
      await this.unlessUnavailable(session.close())
      if (!session.hasEnded) await this.think()
    }
  }

  /** Undefined if the log could not be reached, or is damaged. */
  async unlessUnavailable<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      return await call
    } catch (error) {
      if (!isPassing(error)) throw error
      return undefined
    }
  }
}

const passing: ReadonlySet<string> = new Set([
  'COORDINATION_UNAVAILABLE',
  'COORDINATION_DAMAGED',
  'COORDINATION_BUSY',
])

export function isPassing(error: unknown): error is CoordinationError {
  return error instanceof CoordinationError && passing.has(error.code)
}

export function isClosed(error: unknown): boolean {
  return error instanceof CoordinationError && error.code === 'COORDINATION_CLOSED'
}

export function isExpired(error: unknown): boolean {
  return error instanceof TransactionError && error.code === 'SESSION_EXPIRED'
}

/** Whether the answer says that the change was not made, and will not be. */
export function isUnmade(error: CoordinationError): boolean {
  return error.code === 'COORDINATION_BUSY' || error.message.includes('was not made')
}
