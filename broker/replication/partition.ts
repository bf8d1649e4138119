// One partition on this broker: decides which appends are accepted and which records are visible;
// its log only stores. Drives LeaderState or FollowerState, depending on the role that the
// controller has registered, and owns the appends that wait for the high watermark. No network: a
// fetcher fetches from the leader and calls `appendAsFollower`.
//
// Invariants: no consumer sees a record at or above the high watermark; no append is accepted in an
// epoch other than the current one; an append with acks=all is answered without an error only when
// it is committed. When the watermark moves, the log stores it before waiting appends are answered.

import type { MemoryAllowance } from '../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { newRegistration, type PartitionRegistration } from '../controller/partitionRegistration.ts'
import { type AppendResult, notAppended } from '../log/append/appendResult.ts'
import { refuse } from '../log/append/refusal.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import type { VerificationGuard } from '../log/producers/transactionVerification.ts'
import { CommitQueue } from './commitQueue.ts'
import { FollowerState } from './followerState.ts'
import { LeaderState } from './leaderState.ts'

export interface PartitionOptions {
  readonly topic: string
  readonly partition: number
  /** The id of this broker. */
  readonly nodeId: number
  readonly log: PartitionLog
  /** Without it, this broker is the only replica. */
  readonly registration?: PartitionRegistration
  /** min.insync.replicas. Default: 1. */
  readonly minInSyncReplicas?: number
  /** Called when a registration that arrived during a truncation has been applied. */
  readonly onDeferredApplied?: () => void
}

export interface LeaderAppendOptions {
  /**
   * `client`: everything is checked. `coordinator`: records of this broker, control batches
   * included.
   */
  readonly origin: 'client' | 'coordinator'
  /**
   * `all`: resolves when the batches are committed. `leader`: when they are durable on this broker.
   */
  readonly acks: 'all' | 'leader'
  /** The epoch in which the caller leads; the append is refused in another one. */
  readonly leaderEpoch?: number
  /** From `PartitionLog.verificationFor`, if it returned one. */
  readonly verification?: VerificationGuard | undefined
  /** Limit on the bytes that validation may decompress; shared by all appends of a request. */
  readonly decompression?: MemoryAllowance | undefined
}

/** The leader's answer to a fetch of this follower. */
export interface LeaderAnswer {
  /** The epoch in which the follower has fetched. */
  readonly leaderEpoch: number
  /** Whole batches, or nothing. */
  readonly batches: Buffer
  readonly highWatermark: number
  readonly logStartOffset: number
}

export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

type Role =
  | { readonly kind: 'leader'; readonly state: LeaderState }
  | { readonly kind: 'follower'; readonly state: FollowerState }

export class Partition {
  readonly topic: string
  readonly partition: number
  readonly log: PartitionLog
  readonly #nodeId: number
  #minInSyncReplicas: number
  #registration: PartitionRegistration
  #role: Role
  /** Created lazily: the only replica of a partition never waits for others. */
  #waiting: CommitQueue | undefined
  #isTruncating = false
  /** A registration received during a truncation; applied after it. */
  #deferred: PartitionRegistration | undefined
  readonly #onDeferredApplied: () => void
  #isClosed = false

  constructor(options: PartitionOptions) {
    const { topic, partition, nodeId, log, registration = newRegistration([nodeId]) } = options
    this.topic = topic
    this.partition = partition
    this.log = log
    this.#nodeId = nodeId
    this.#minInSyncReplicas = options.minInSyncReplicas ?? 1
    this.#onDeferredApplied = options.onDeferredApplied ?? (() => {})
    this.#registration = registration
    this.#role = this.#takeRole()
    log.onLogEnd(() => this.#logEndMoved())
  }

  get registration(): PartitionRegistration {
    return this.#registration
  }

  get leaderEpoch(): number {
    return this.#registration.leaderEpoch
  }

  /** The id of the leader; `noLeader` without one. */
  get leader(): number {
    return this.#registration.leader
  }

  get isLeader(): boolean {
    return this.#role.kind === 'leader'
  }

  /** Appends that are durable here and wait for the high watermark. */
  get waitingAppends(): number {
    return this.#waiting?.size ?? 0
  }

  /**
   * Applies a registration of the controller: becomes the leader or a follower, or takes over the
   * ISR. Returns false if it is not newer than the current one. If the epoch changes, waiting
   * appends are answered with NOT_LEADER_OR_FOLLOWER: only the new leader knows whether they will
   * be committed.
   */
  apply(registration: PartitionRegistration): boolean {
    const current = this.#registration
    const newest = this.#deferred ?? current
    if (registration.partitionEpoch <= newest.partitionEpoch) return false
    // A role starts with offsets of the log, which are final only after the truncation.
    if (this.#isTruncating) {
      this.#deferred = registration
      return true
    }
    assert(registration.leaderEpoch >= current.leaderEpoch, 'a leader epoch never decreases')
    const isSameEpoch = registration.leaderEpoch === current.leaderEpoch
    assert(
      !isSameEpoch || registration.leader === current.leader,
      'an epoch has one leader: a change of the leader begins a new epoch',
    )
    this.#registration = registration
    if (!isSameEpoch) this.#changeRole()
    else if (this.#role.kind === 'leader') this.#changeIsr(this.#role.state, registration)
    return true
  }

  /** min.insync.replicas has changed. */
  reconfigure(minInSyncReplicas: number): void {
    this.#minInSyncReplicas = minInSyncReplicas
    if (this.#role.kind !== 'leader') return
    if (this.#role.state.reconfigure(minInSyncReplicas)) this.#storeWatermark()
    this.#refuseUnderMinIsr(this.#role.state)
  }

  /**
   * The log is being closed or deleted: waiting appends are answered with NOT_LEADER_OR_FOLLOWER.
   */
  close(): void {
    this.#isClosed = true
    this.#waiting?.refuse(ErrorCode.notLeaderOrFollower)
  }

  /**
   * The error code for a client that expects the leader epoch `claimed` (KIP-320); -1 if it expects
   * none.
   */
  leaderEpochError(claimed: number): number {
    const { leaderEpoch } = this
    if (claimed !== -1 && claimed < leaderEpoch) return ErrorCode.fencedLeaderEpoch
    if (claimed > leaderEpoch) return ErrorCode.unknownLeaderEpoch
    return this.isLeader ? ErrorCode.none : ErrorCode.notLeaderOrFollower
  }

  /**
   * The largest epoch up to `epoch` and its end offset (KIP-101); undefined for an epoch that has
   * not begun. A follower compares whole logs. A consumer gets no offset above the high watermark,
   * because records there may be truncated.
   */
  endOffsetForEpoch(epoch: number, asker: 'consumer' | 'follower'): EpochEnd | undefined {
    if (epoch < 0 || epoch > this.leaderEpoch) return undefined
    const { logEndOffset, highWatermark } = this.log
    const limit = asker === 'follower' ? logEndOffset : highWatermark
    if (epoch === this.leaderEpoch) return { epoch, endOffset: limit }
    const end = this.log.endOffsetForEpoch(epoch)
    return end && { epoch: end.epoch, endOffset: Math.min(end.endOffset, limit) }
  }

  /** Appends whole batches, in the order of the calls; see `PartitionLog.appendAsLeader`. */
  appendAsLeader(batches: Buffer, options: LeaderAppendOptions): Promise<AppendResult> {
    const { origin, acks, leaderEpoch = this.leaderEpoch, verification, decompression } = options
    const role = this.#role
    if (role.kind !== 'leader' || leaderEpoch !== this.leaderEpoch) {
      return Promise.resolve(this.#refusal(ErrorCode.notLeaderOrFollower))
    }
    if (acks === 'all' && role.state.isUnderMinIsr) {
      return Promise.resolve(this.#refusal(ErrorCode.notEnoughReplicas))
    }
    if (acks === 'all' && this.#waiting?.isFull) {
      return Promise.resolve(notAppended(tooManyWaiting, this.log.logStartOffset))
    }
    const append = { leaderEpoch, origin, verification, decompression }
    const durable = this.log.appendAsLeader(batches, append)
    // The log of a sole replica has moved the watermark before it answers.
    if (acks === 'leader' || role.state.isSole) return durable
    return durable.then((result) => this.#committed(result, role.state))
  }

  /** A follower of this leader has fetched from `endOffset` on, in the current epoch. */
  followerFetched(brokerId: number, endOffset: number): void {
    const role = this.#role
    assert(role.kind === 'leader', 'followers fetch from the leader')
    if (role.state.followerFetched(brokerId, endOffset)) this.#storeWatermark()
  }

  /**
   * Appends the batches that the leader has answered, and takes over its watermark and log start
   * offset. Refused with NOT_LEADER_OR_FOLLOWER if the epoch of the fetch has ended: the log has to
   * be compared with that of the new leader first.
   */
  async appendAsFollower(answer: LeaderAnswer): Promise<AppendResult | undefined> {
    const { leaderEpoch, batches, highWatermark, logStartOffset } = answer
    const follower = this.#followerIn(leaderEpoch)
    if (!follower) return this.#refusal(ErrorCode.notLeaderOrFollower)
    let result: AppendResult | undefined
    if (batches.length > 0) {
      result = await this.log.appendAsFollower(batches)
      if (result.errorCode !== ErrorCode.none || this.#role.state !== follower) return result
    }
    if (follower.leaderAnswered(highWatermark, this.log.durableEndOffset)) this.#storeWatermark()
    await this.log.advanceLogStartOffset(logStartOffset)
    return result
  }

  /**
   * Truncates the log to where it diverges from that of the leader. Returns false if the epoch has
   * ended.
   */
  async truncateTo(offset: number, leaderEpoch: number): Promise<boolean> {
    return await this.#truncate(leaderEpoch, () => this.log.truncateTo(offset))
  }

  /**
   * The log of the leader starts above the end of this one. Returns false if the epoch has ended.
   */
  async truncateFullyAndStartAt(offset: number, leaderEpoch: number): Promise<boolean> {
    return await this.#truncate(leaderEpoch, () => this.log.truncateFullyAndStartAt(offset))
  }

  /**
   * Calls `listener` when the high watermark, and possibly the last stable offset, has moved.
   * Returns a function that removes the listener.
   */
  onHighWatermark(listener: () => void): () => void {
    return this.log.onHighWatermark(listener)
  }

  #takeRole(): Role {
    const registration = this.#registration
    const nodeId = this.#nodeId
    assert(registration.replicas.includes(nodeId), 'a partition is kept on its replicas only')
    const { highWatermark, durableEndOffset, nextOffset } = this.log
    this.log.fence(registration.leaderEpoch)
    if (registration.leader !== nodeId) {
      return { kind: 'follower', state: new FollowerState(nodeId, registration, highWatermark) }
    }
    const state = new LeaderState({
      nodeId,
      registration,
      minInSyncReplicas: this.#minInSyncReplicas,
      endOffset: durableEndOffset,
      acceptedEndOffset: nextOffset,
      highWatermark,
    })
    this.log.advanceHighWatermark(state.highWatermark)
    return { kind: 'leader', state }
  }

  #changeRole(): void {
    this.#role = this.#takeRole()
    this.#waiting?.refuse(ErrorCode.notLeaderOrFollower)
  }

  #changeIsr(leader: LeaderState, registration: PartitionRegistration): void {
    if (leader.register(registration, this.log.nextOffset)) this.#storeWatermark()
    this.#refuseUnderMinIsr(leader)
  }

  /** Called by the log after each group of appends, before they are answered. */
  #logEndMoved(): void {
    const role = this.#role
    if (role.kind !== 'leader') return
    if (role.state.logEndMoved(this.log.durableEndOffset)) this.#storeWatermark()
  }

  #storeWatermark(): void {
    const { highWatermark } = this.#role.state
    this.log.advanceHighWatermark(highWatermark)
    this.#waiting?.committed(highWatermark)
  }

  /** The watermark cannot move for now. The records stay in the log, and may be committed later. */
  #refuseUnderMinIsr(leader: LeaderState): void {
    if (leader.isUnderMinIsr) this.#waiting?.refuse(ErrorCode.notEnoughReplicasAfterAppend)
  }

  /** The batches are durable on this broker: answers when they are committed. */
  #committed(result: AppendResult, leader: LeaderState): AppendResult | Promise<AppendResult> {
    if (result.errorCode !== ErrorCode.none) return result
    if (this.#role.state !== leader || this.#isClosed) {
      return this.#refusal(ErrorCode.notLeaderOrFollower)
    }
    const endOffset = result.lastOffset + 1
    if (endOffset <= leader.highWatermark) return result
    if (leader.isUnderMinIsr) return this.#refusal(ErrorCode.notEnoughReplicasAfterAppend)
    this.#waiting ??= new CommitQueue()
    const waiting = this.#waiting
    return new Promise((resolve) => {
      waiting.add(endOffset, (errorCode) =>
        resolve(errorCode === ErrorCode.none ? result : this.#refusal(errorCode)),
      )
    })
  }

  #followerIn(leaderEpoch: number): FollowerState | undefined {
    const role = this.#role
    return role.kind === 'follower' && role.state.accepts(leaderEpoch) ? role.state : undefined
  }

  async #truncate(leaderEpoch: number, truncation: () => Promise<void>): Promise<boolean> {
    const follower = this.#followerIn(leaderEpoch)
    if (!follower) return false
    assert(!this.#isTruncating, 'a log is truncated once at a time')
    this.#isTruncating = true
    try {
      await truncation()
    } finally {
      this.#isTruncating = false
      follower.truncated(this.log.highWatermark)
      const deferred = this.#deferred
      this.#deferred = undefined
      if (deferred && this.apply(deferred)) this.#onDeferredApplied()
    }
    return true
  }

  #refusal(errorCode: number): AppendResult {
    return notAppended(refuse(errorCode, refusals.get(errorCode)!), this.log.logStartOffset)
  }
}

// Retriable, and says that nothing was appended.
const tooManyWaiting = refuse(
  ErrorCode.notEnoughReplicas,
  'too many appends wait for the in-sync replicas of the partition; retry later',
)

const refusals: ReadonlyMap<number, string> = new Map([
  [ErrorCode.notLeaderOrFollower, 'this broker does not lead the partition'],
  [ErrorCode.notEnoughReplicas, 'fewer replicas are in sync than min.insync.replicas'],
  [
    ErrorCode.notEnoughReplicasAfterAppend,
    'appended, but then fewer replicas were in sync than min.insync.replicas',
  ],
])
