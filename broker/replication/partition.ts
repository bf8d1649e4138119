// One partition on this broker: decides what may be appended and shown, where its log only stores. Owns the
// role, the leader epoch, the in-sync replicas, the high watermark and those who wait for it. Invariant: no
// reader is shown a record above the high watermark, and no epoch is accepted but the one that holds.

import type { MemoryAllowance } from '../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import {
  newRegistration,
  noLeader,
  type PartitionRegistration,
} from '../controller/partitionRegistration.ts'
import { type AppendResult, notAppended } from '../log/appendResult.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import type { VerificationGuard } from '../log/producers/transactionVerification.ts'
import { refuse } from '../log/refusal.ts'

export interface PartitionOptions {
  readonly topic: string
  readonly partition: number
  /** The id of this broker. */
  readonly nodeId: number
  readonly log: PartitionLog
  readonly registration?: PartitionRegistration
}

export interface LeaderAppendOptions {
  /** `client`: everything is checked. `coordinator`: records of this broker, control batches included. */
  readonly origin: 'client' | 'coordinator'
  /** `all`: resolves when every replica in sync has the batches. `leader`: when this broker has them. */
  readonly acks: 'all' | 'leader'
  /** The epoch under which the caller leads; an append under another one is refused. */
  readonly leaderEpoch?: number
  /** From `PartitionLog.verificationFor`, when it gave one. */
  readonly verification?: VerificationGuard | undefined
  /** What validating a client's records may still decompress: one for all appends of a request. */
  readonly decompression?: MemoryAllowance | undefined
}

export class Partition {
  readonly topic: string
  readonly partition: number
  readonly log: PartitionLog
  readonly #nodeId: number
  #registration: PartitionRegistration

  constructor({ topic, partition, nodeId, log, registration }: PartitionOptions) {
    this.topic = topic
    this.partition = partition
    this.log = log
    this.#nodeId = nodeId
    this.#registration = registration ?? newRegistration([nodeId])
  }

  get leaderEpoch(): number {
    return this.#registration.leaderEpoch
  }

  get leader(): number {
    return this.#registration.leader ?? noLeader
  }

  get isLeader(): boolean {
    return this.leader === this.#nodeId
  }

  /** What to answer a client that believes in the epoch `claimed` (KIP-320); -1 when it does not say. */
  leaderEpochError(claimed: number): number {
    if (claimed === -1 || claimed === this.leaderEpoch) return ErrorCode.none
    return claimed < this.leaderEpoch ? ErrorCode.fencedLeaderEpoch : ErrorCode.unknownLeaderEpoch
  }

  /** The largest epoch up to `epoch` and where it ends; undefined for an epoch that has not begun. */
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number } | undefined {
    if (epoch < 0 || epoch > this.leaderEpoch) return undefined
    // Records that are not durable may be gone after a crash, and are shown to nobody.
    if (epoch === this.leaderEpoch) return { epoch, endOffset: this.log.highWatermark }
    return this.log.endOffsetForEpoch(epoch)
  }

  /** Appends whole batches, in the order of the calls; see `PartitionLog.append`. */
  appendAsLeader(batches: Buffer, options: LeaderAppendOptions): Promise<AppendResult> {
    const { origin, leaderEpoch = this.leaderEpoch, verification, decompression } = options
    if (!this.isLeader || leaderEpoch !== this.leaderEpoch) {
      const refusal = refuse(
        ErrorCode.notLeaderOrFollower,
        'this broker does not lead the partition',
      )
      return Promise.resolve(notAppended(refusal, this.log.logStartOffset))
    }
    return this.log.append(batches, { leaderEpoch, origin, verification, decompression })
  }

  /**
   * Calls `listener` whenever the high watermark has moved; with it moves the last stable offset. Returns
   * what removes the listener.
   */
  onHighWatermark(listener: () => void): () => void {
    return this.log.onAppend(listener)
  }
}
