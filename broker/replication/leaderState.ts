// The decisions of a partition's leader: which replicas are in sync, and how far records are
// committed. Sans-IO: events in (the log of the leader grew, a follower fetched, the controller has
// registered a change), and the high watermark out. Contract with the driver: it passes the end of
// the leader's log only when that is durable, and sends no answer that depends on the watermark
// before it has stored the watermark in the log.
//
// The rules are Kafka's (Partition.scala, maybeIncrementLeaderHW; KIP-497, KIP-966). The high
// watermark is the smallest log end offset over the maximal ISR: the committed ISR and the replicas
// that this leader has proposed to the controller, because the proposal may already be committed.
// It does not advance while the committed ISR is smaller than min(min.insync.replicas, number of
// replicas).
//
// Invariants, asserted: the watermark never decreases and never exceeds the end of the leader's
// log; one change of the ISR is in flight at a time; the ISR contains the leader, and only
// replicas.

import { assert } from '../../protocol/runtime/assert.ts'
import type { PartitionRegistration } from '../controller/partitionRegistration.ts'

export interface LeaderStart {
  /** The id of this broker. */
  readonly nodeId: number
  readonly registration: PartitionRegistration
  /** min.insync.replicas */
  readonly minInSyncReplicas: number
  /** The durable end of the leader's log. */
  readonly endOffset: number
  /** The end of the log once all accepted appends are written; at least `endOffset`. */
  readonly acceptedEndOffset: number
  readonly highWatermark: number
}

/**
 * End offset of a follower that has not fetched in this epoch: its log may have to be truncated
 * first.
 */
const unknownOffset = -1

export class LeaderState {
  readonly leaderEpoch: number
  readonly #nodeId: number
  #registration: PartitionRegistration
  /** The ISR proposed to the controller, until it is answered. */
  #proposedIsr: readonly number[] | undefined
  #minInSyncReplicas: number
  #endOffset: number
  #highWatermark: number
  /** A follower joins the ISR only with all records below this offset. */
  #joinOffset: number
  /**
   * Log end offsets of the other replicas. Undefined without any, so that a sole replica needs no
   * map.
   */
  #followers: Map<number, number> | undefined

  constructor(start: LeaderStart) {
    const { nodeId, registration, endOffset, acceptedEndOffset, highWatermark } = start
    assert(registration.leader === nodeId, 'only the registered leader leads')
    assert(highWatermark <= endOffset, 'the high watermark does not exceed the end of the log')
    assert(endOffset <= acceptedEndOffset, 'accepted appends lie behind the durable end')
    this.leaderEpoch = registration.leaderEpoch
    this.#nodeId = nodeId
    this.#registration = registration
    this.#minInSyncReplicas = start.minInSyncReplicas
    this.#endOffset = endOffset
    this.#highWatermark = highWatermark
    this.#joinOffset = acceptedEndOffset
    this.#followReplicas()
    this.#advance()
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** No other broker has a replica: durable records are committed. */
  get isSole(): boolean {
    return this.#followers === undefined
  }

  /** The ISR that the controller has registered. */
  get isr(): readonly number[] {
    return this.#registration.isr
  }

  /** The committed ISR and the proposed one. */
  get maximalIsr(): readonly number[] {
    const { isr } = this.#registration
    if (!this.#proposedIsr) return isr
    return [...isr, ...this.#proposedIsr.filter((id) => !isr.includes(id))]
  }

  /** The ISR is too small to commit records: appends with acks=all are refused. */
  get isUnderMinIsr(): boolean {
    const { isr, replicas } = this.#registration
    return isr.length < Math.min(this.#minInSyncReplicas, replicas.length)
  }

  /**
   * Log end offset of a follower; undefined for a broker that is not a follower or has not fetched
   * yet.
   */
  followerEndOffset(brokerId: number): number | undefined {
    const offset = this.#followers?.get(brokerId)
    return offset === unknownOffset ? undefined : offset
  }

  /**
   * The log of the leader is durable up to `endOffset`. Returns whether the watermark has moved.
   */
  logEndMoved(endOffset: number): boolean {
    assert(endOffset >= this.#endOffset, 'the log of a leader is never truncated')
    this.#endOffset = endOffset
    return this.#advance()
  }

  /**
   * A follower has fetched from `endOffset` on in this epoch, so it has all records below; some of
   * them may be written but not durable on the leader. Returns whether the watermark has moved.
   * Brokers that are not replicas are ignored.
   */
  followerFetched(brokerId: number, endOffset: number): boolean {
    if (!this.#followers?.has(brokerId)) return false
    this.#followers.set(brokerId, endOffset)
    return this.#advance()
  }

  /**
   * Whether the follower has all records that an in-sync replica must have (Kafka:
   * isFollowerInSync).
   */
  mayJoin(brokerId: number): boolean {
    const endOffset = this.followerEndOffset(brokerId)
    if (endOffset === undefined || this.#registration.isr.includes(brokerId)) return false
    return endOffset >= this.#highWatermark && endOffset >= this.#joinOffset
  }

  /** This ISR is proposed to the controller; answered by `register` or `refused`. */
  propose(isr: readonly number[]): void {
    assert(this.#proposedIsr === undefined, 'one change of the ISR is in flight at a time')
    this.#mustBeIsr(isr, this.#registration)
    for (const id of isr) {
      const isMember = this.#registration.isr.includes(id)
      assert(isMember || this.mayJoin(id), 'a replica joins the ISR only when it has caught up')
    }
    this.#proposedIsr = isr
  }

  /** The controller has refused the proposal. Returns whether the watermark has moved. */
  refused(): boolean {
    assert(this.#proposedIsr !== undefined, 'only a proposal is refused')
    this.#proposedIsr = undefined
    return this.#advance()
  }

  /**
   * The controller has registered a change in the same leader epoch, as proposed or not. Returns
   * whether the watermark has moved. `acceptedEndOffset` is the current one.
   */
  register(registration: PartitionRegistration, acceptedEndOffset: number): boolean {
    const { leader, leaderEpoch, partitionEpoch } = registration
    assert(leader === this.#nodeId, 'only the registered leader leads')
    assert(leaderEpoch === this.leaderEpoch, 'a leader state is that of one epoch')
    assert(partitionEpoch > this.#registration.partitionEpoch, 'a partition epoch only grows')
    // Appends in flight of a sole replica are answered without waiting for followers.
    if (this.isSole) this.#joinOffset = Math.max(this.#joinOffset, acceptedEndOffset)
    this.#registration = registration
    this.#proposedIsr = undefined
    this.#followReplicas()
    return this.#advance()
  }

  /** min.insync.replicas has changed. Returns whether the watermark has moved. */
  reconfigure(minInSyncReplicas: number): boolean {
    this.#minInSyncReplicas = minInSyncReplicas
    return this.#advance()
  }

  #followReplicas(): void {
    const { replicas, isr } = this.#registration
    this.#mustBeIsr(isr, this.#registration)
    const known = this.#followers
    this.#followers = undefined
    for (const id of replicas) {
      if (id === this.#nodeId) continue
      this.#followers ??= new Map()
      this.#followers.set(id, known?.get(id) ?? unknownOffset)
    }
  }

  #mustBeIsr(isr: readonly number[], { replicas }: PartitionRegistration): void {
    assert(isr.includes(this.#nodeId), 'a leader is in its ISR')
    for (const id of isr) assert(replicas.includes(id), 'the ISR consists of replicas')
  }

  #advance(): boolean {
    if (this.isUnderMinIsr) return false
    let committed = this.#endOffset
    if (this.#followers) {
      for (const id of this.maximalIsr) {
        if (id === this.#nodeId) continue
        committed = Math.min(committed, this.#followers.get(id) ?? unknownOffset)
      }
    }
    // A follower below the watermark has not caught up in this epoch. The watermark does not move.
    if (committed <= this.#highWatermark) return false
    this.#highWatermark = committed
    assert(committed <= this.#endOffset, 'the high watermark does not exceed the end of the log')
    return true
  }
}
