// What a member of a classic consumer group is, and what it does next. It is told of the
// coordinator's answers and of the time, and says whether to join, to sync, to send a heartbeat or
// to give up. A plain state machine: groupSession.ts talks to the coordinator.

import { ErrorCode, isRetriable, KafkaError } from '../kafka/errors.ts'
import { assert } from '../runtime/assert.ts'

export type MembershipState = 'outside' | 'joined' | 'stable' | 'failed'

export interface MembershipOptions {
  /** Without a heartbeat for this long, the coordinator takes the member for dead. */
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

/** `again`: the same request once more, after a pause, perhaps to another coordinator. */
export type MembershipVerdict = 'accepted' | 'again' | 'rejoin' | 'failed'

const rebalanceCodes: ReadonlySet<number> = new Set([
  ErrorCode.rebalanceInProgress,
  ErrorCode.illegalGeneration,
  ErrorCode.unknownMemberId,
])

export class GroupMembership {
  readonly #options: MembershipOptions
  /** `outside`: join next. `joined`: sync next. `stable`: heartbeats. `failed`: for good. */
  #state: MembershipState = 'outside'
  #memberId = ''
  #generationId = -1
  #failure: KafkaError | undefined
  #lastAnswerMs = 0
  #nextHeartbeatMs = 0

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  get state(): MembershipState {
    return this.#state
  }

  /** Empty until the coordinator gave one. */
  get memberId(): string {
    return this.#memberId
  }

  /** -1 outside of any generation. */
  get generationId(): number {
    return this.#generationId
  }

  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /** Also after a join or sync whose answer was lost. Throws what the group refused for good. */
  joinStarted(): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#leaveGeneration()
  }

  /** The answer to JoinGroup. */
  joinAnswered(errorCode: number, memberId: string, generationId: number): MembershipVerdict {
    assert(this.#state === 'outside', 'only who is outside joins')
    if (errorCode === ErrorCode.memberIdRequired) {
      this.#memberId = memberId
      return 'rejoin'
    }
    if (errorCode !== ErrorCode.none) return this.#refused(errorCode)
    this.#memberId = memberId
    this.#generationId = generationId
    this.#state = 'joined'
    return 'accepted'
  }

  /** The answer to SyncGroup. */
  syncAnswered(errorCode: number, nowMs: number): MembershipVerdict {
    assert(this.#state === 'joined', 'only who has joined syncs')
    if (errorCode !== ErrorCode.none) return this.#refused(errorCode)
    this.#state = 'stable'
    this.#lastAnswerMs = nowMs
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    return 'accepted'
  }

  /** Milliseconds until a heartbeat is due; undefined when none is to be sent. */
  heartbeatInMs(nowMs: number): number | undefined {
    if (this.#state !== 'stable') return undefined
    return Math.max(0, this.#nextHeartbeatMs - nowMs)
  }

  /** The answer to a Heartbeat of this generation; an answer that comes too late means nothing. */
  heartbeatAnswered(errorCode: number, generationId: number, nowMs: number): MembershipVerdict {
    if (this.#state !== 'stable' || generationId !== this.#generationId) return 'accepted'
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    if (errorCode !== ErrorCode.none) return this.#refused(errorCode)
    this.#lastAnswerMs = nowMs
    return 'accepted'
  }

  /** A heartbeat that was lost. Once the session is over, the coordinator knows this member no more. */
  heartbeatLost(nowMs: number): MembershipVerdict {
    if (this.#state !== 'stable') return 'accepted'
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    if (nowMs - this.#lastAnswerMs < this.#options.sessionTimeoutMs) return 'again'
    this.#leaveGeneration()
    return 'rejoin'
  }

  /** An OffsetCommit was refused, perhaps because of a rebalance; any other reason changes nothing. */
  commitRefused(errorCode: number): void {
    if (rebalanceCodes.has(errorCode)) this.#refused(errorCode)
  }

  #refused(errorCode: number): MembershipVerdict {
    switch (errorCode) {
      case ErrorCode.rebalanceInProgress:
      case ErrorCode.illegalGeneration:
        this.#leaveGeneration()
        return 'rejoin'
      case ErrorCode.unknownMemberId:
        this.#leaveGeneration()
        this.#memberId = ''
        return 'rejoin'
      default:
        if (isRetriable(errorCode)) return 'again'
        this.#state = 'failed'
        this.#failure = new KafkaError(errorCode)
        return 'failed'
    }
  }

  #leaveGeneration(): void {
    this.#state = 'outside'
    this.#generationId = -1
  }
}
