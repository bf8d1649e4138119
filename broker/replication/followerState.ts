// The decisions of a follower: from which leader and epoch it accepts batches, and how far records
// are committed. Sans-IO. A follower receives the high watermark from its leader, and stores it
// only up to the durable end of its own log. Invariant, asserted: the watermark never decreases.

import { assert } from '../../protocol/runtime/assert.ts'
import { noLeader, type PartitionRegistration } from '../controller/partitionRegistration.ts'

export class FollowerState {
  readonly leaderEpoch: number
  /** `noLeader` while no broker leads: then there is nothing to fetch. */
  readonly leader: number
  #highWatermark: number

  constructor(
    nodeId: number,
    { leader, leaderEpoch }: PartitionRegistration,
    highWatermark: number,
  ) {
    assert(leader !== nodeId, 'a leader does not follow itself')
    this.leader = leader
    this.leaderEpoch = leaderEpoch
    this.#highWatermark = highWatermark
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Whether batches fetched in `leaderEpoch` may be appended. */
  accepts(leaderEpoch: number): boolean {
    return leaderEpoch === this.leaderEpoch && this.leader !== noLeader
  }

  /**
   * The leader has answered a fetch with its high watermark; the own log is durable up to
   * `endOffset`. Returns whether the watermark has moved. A new leader may not know the watermark
   * of its predecessor: then it does not move.
   */
  leaderAnswered(leaderHighWatermark: number, endOffset: number): boolean {
    assert(
      endOffset >= this.#highWatermark,
      'the high watermark does not exceed the end of the log',
    )
    const committed = Math.min(leaderHighWatermark, endOffset)
    if (committed <= this.#highWatermark) return false
    this.#highWatermark = committed
    return true
  }

  /** The own log was truncated, and has lowered its watermark. */
  truncated(highWatermark: number): void {
    this.#highWatermark = highWatermark
  }
}
