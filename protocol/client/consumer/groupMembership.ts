// The membership of one member in a classic consumer group: decides from the coordinator's
// responses and the time whether to join, sync, send a heartbeat or fail. A plain state machine:
// its driver, groupSession.ts, sends the requests.

import { ErrorCode, isRetriable, KafkaError } from '../../kafka/errors.ts'
import { assert } from '../../runtime/assert.ts'

export type MembershipState = 'outside' | 'joined' | 'stable' | 'failed'

export interface MembershipOptions {
  /** Time without a heartbeat after which the coordinator removes the member, in ms. */
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

/** `again`: the request is retried after a pause, possibly with another coordinator. */
export type MembershipVerdict = 'accepted' | 'again' | 'rejoin' | 'failed'

const rebalanceCodes: ReadonlySet<number> = new Set([
  ErrorCode.rebalanceInProgress,
  ErrorCode.illegalGeneration,
  ErrorCode.unknownMemberId,
])

export class GroupMembership {
  readonly #options: MembershipOptions
  /** `outside`: joins next. `joined`: syncs next. `stable`: sends heartbeats. `failed`: final. */
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

  /** Empty until the coordinator has assigned one. */
  get memberId(): string {
    return this.#memberId
  }

  /** -1 while this member is in no generation. */
  get generationId(): number {
    return this.#generationId
  }

  get failure(): KafkaError | undefined {
    return this.#failure
  }

  /** Begins a join, also after a lost response. Throws the failure of a `failed` membership. */
  joinStarted(): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#leaveGeneration()
  }

  /** Applies the response to JoinGroup. */
  joinAnswered(errorCode: number, memberId: string, generationId: number): MembershipVerdict {
    assert(this.#state === 'outside', 'a member of a generation does not join again')
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

  /** Applies the response to SyncGroup. */
  syncAnswered(errorCode: number, nowMs: number): MembershipVerdict {
    assert(this.#state === 'joined', 'only a joined member syncs')
    if (errorCode !== ErrorCode.none) return this.#refused(errorCode)
    this.#state = 'stable'
    this.#lastAnswerMs = nowMs
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    return 'accepted'
  }

  /** Returns the time until the next heartbeat, in ms; undefined unless `stable`. */
  heartbeatInMs(nowMs: number): number | undefined {
    if (this.#state !== 'stable') return undefined
    return Math.max(0, this.#nextHeartbeatMs - nowMs)
  }

  /** Applies the response to a Heartbeat; ignored when it is for an earlier generation. */
  heartbeatAnswered(errorCode: number, generationId: number, nowMs: number): MembershipVerdict {
    if (this.#state !== 'stable' || generationId !== this.#generationId) return 'accepted'
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    if (errorCode !== ErrorCode.none) return this.#refused(errorCode)
    this.#lastAnswerMs = nowMs
    return 'accepted'
  }

  /**
   * Records a failed heartbeat. After `sessionTimeoutMs` without a response, the member rejoins.
   */
  heartbeatLost(nowMs: number): MembershipVerdict {
    if (this.#state !== 'stable') return 'accepted'
    this.#nextHeartbeatMs = nowMs + this.#options.heartbeatIntervalMs
    if (nowMs - this.#lastAnswerMs < this.#options.sessionTimeoutMs) return 'again'
    this.#leaveGeneration()
    return 'rejoin'
  }

  /** Applies a failed OffsetCommit: leaves the generation if the error code reports a rebalance. */
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
