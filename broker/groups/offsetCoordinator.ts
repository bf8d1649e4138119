// What becomes of offsets: who may commit, fetch and delete them, what a transaction holds back, and
// when they have outlived their use. The groups themselves say who is in them (group.ts); the
// registry has what is to be written written.
//
// Times are monotonic milliseconds; where the wall clock is meant, it says so.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { TransactionalCommit } from '../transactions/transactionalOffsets.ts'
import type { Group } from './group.ts'
import type { GroupOffsets } from './groupOffsets.ts'
import type { CommittedOffset, OffsetRecord } from './groupRecords.ts'
import type { CommittingProducer, GroupEntry, GroupRegistry } from './groupRegistry.ts'
import type { Committer, OffsetToCommit } from './groupRequests.ts'
import { expiredOffsets } from './offsetExpiry.ts'

export interface OffsetLimits {
  readonly maxOffsetMetadataBytes: number
  /** How long offsets are kept that nobody uses any more. */
  readonly offsetsRetentionMs: number
}

/** From here on OffsetCommit can say that the group is not there. */
const groupIdNotFoundVersion = 9

export class OffsetCoordinator {
  readonly #registry: GroupRegistry
  readonly #limits: OffsetLimits

  constructor(registry: GroupRegistry, limits: OffsetLimits) {
    this.#registry = registry
    this.#limits = limits
  }

  /** Answered with an error code per offset, when those that are admitted are durable. */
  commit(
    nowMs: number,
    requestId: number,
    groupId: string,
    committer: Committer,
    offsets: readonly OffsetToCommit[],
  ): void {
    const error = this.#admitCommit(nowMs, groupId, committer)
    this.#write(requestId, groupId, error, offsets, undefined)
  }

  /** The same as part of a transaction: seen by nobody before `endTransaction`. */
  commitInTransaction(requestId: number, commit: TransactionalCommit): void {
    const { groupId, offsets, producerId, producerEpoch, verification } = commit
    const error = this.#admitTransactionalCommit(commit)
    this.#write(requestId, groupId, error, offsets, { producerId, producerEpoch, verification })
  }

  /** Whether the offsets may be read by whoever asks; a group that is not there has none. */
  admitFetch(groupId: string, memberId: string | null, memberEpoch: number): number {
    const group: Group | undefined = this.#registry.find(groupId)?.group
    const error = group?.admitOffsetFetch(memberId, memberEpoch)
    return error === undefined || error === ErrorCode.groupIdNotFound ? ErrorCode.none : error
  }

  of(groupId: string): GroupOffsets | undefined {
    return this.#registry.find(groupId)?.offsets
  }

  /** Whether offsets of the group may be deleted; `delete` asks topic by topic. */
  admitDelete(groupId: string): number {
    if (groupId === '') return ErrorCode.invalidGroupId
    const entry = this.#registry.find(groupId)
    return entry ? entry.group.admitOffsetDelete() : ErrorCode.groupIdNotFound
  }

  /** Answered with an error code per partition, when the deletion is durable. */
  delete(
    requestId: number,
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): void {
    const entry = this.#registry.find(groupId)
    const codes = partitions.map(({ topic }) =>
      entry?.group.isSubscribedTo(topic) ? ErrorCode.groupSubscribedToTopic : ErrorCode.none,
    )
    const answer = (errorCode: number) => this.#answer(requestId, codes, errorCode)
    if (!entry) return void answer(ErrorCode.groupIdNotFound)
    const known = new Set(entry.offsets.partitions().map(keyOf))
    const deleted = partitions.filter(
      (each, index) => codes[index] === ErrorCode.none && known.has(keyOf(each)),
    )
    this.#registry.appendTombstones(entry, deleted, answer)
    this.#registry.settle(entry)
  }

  /** Forgets what groups committed for a topic that is gone; answered when that is durable. */
  forgetTopic(requestId: number, topic: string): void {
    let open = 1
    let result: number = ErrorCode.none
    const settled = (errorCode: number) => {
      if (errorCode !== ErrorCode.none) result = errorCode
      if (--open === 0) this.#answer(requestId, [ErrorCode.none], result)
    }
    for (const entry of this.#registry.all()) {
      const partitions = entry.offsets.partitions().filter((each) => each.topic === topic)
      if (partitions.length === 0) continue
      open++
      this.#registry.appendTombstones(entry, partitions, settled)
    }
    settled(ErrorCode.none)
  }

  /** Removes a group nobody is in, with its offsets; answered when that is durable. */
  deleteGroup(requestId: number, groupId: string): void {
    const answer = (errorCode: number) => this.#answer(requestId, [ErrorCode.none], errorCode)
    const entry = this.#registry.find(groupId)
    if (!entry) return void answer(ErrorCode.groupIdNotFound)
    if (!entry.group.isEmpty) return void answer(ErrorCode.nonEmptyGroup)
    this.#removeGroup(entry, entry.offsets.partitions(), answer)
  }

  /** Takes away what has outlived its use: offsets, and groups of which nothing else is left. */
  expire(nowMs: number, wallClockMs: number): void {
    const { offsetsRetentionMs } = this.#limits
    for (const entry of this.#registry.all()) {
      const { expired, isAll } = expiredOffsets(entry, nowMs, wallClockMs, offsetsRetentionMs)
      if (isAll && entry.group.isEmpty) this.#removeGroup(entry, expired, () => {})
      else if (expired.length > 0) this.#registry.appendTombstones(entry, expired, () => {})
    }
  }

  /** Answers 0 also when somebody has joined or committed meanwhile: then the group is a new one. */
  #removeGroup(
    entry: GroupEntry,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    answer: (errorCode: number) => void,
  ): void {
    this.#registry.appendTombstones(entry, partitions, (offsetsError) => {
      if (offsetsError !== ErrorCode.none) return answer(offsetsError)
      if (!entry.group.isEmpty) return answer(ErrorCode.nonEmptyGroup)
      this.#registry.write(entry, entry.group.tombstones(), (_, errorCode) => {
        const isUnused = entry.group.isEmpty && entry.offsets.isEmpty
        if (errorCode === ErrorCode.none && isUnused) this.#registry.remove(entry)
        answer(errorCode)
      })
    })
  }

  #admitCommit(nowMs: number, groupId: string, committer: Committer): number {
    const entry = this.#registry.find(groupId)
    if (entry) return entry.group.admitCommit(nowMs, committer)
    // Without a generation, the commit makes the group.
    if (committer.generationId < 0) return this.#admitNewGroup()
    const canSayNotFound = committer.apiVersion >= groupIdNotFoundVersion
    return canSayNotFound ? ErrorCode.groupIdNotFound : ErrorCode.illegalGeneration
  }

  #admitTransactionalCommit({ groupId, member, generationId }: TransactionalCommit): number {
    if (groupId === '') return ErrorCode.invalidGroupId
    const entry = this.#registry.find(groupId)
    if (entry) return entry.group.admitTransactionalCommit(member, generationId)
    return generationId < 0 ? this.#admitNewGroup() : ErrorCode.illegalGeneration
  }

  #admitNewGroup(): number {
    return this.#registry.isFull ? ErrorCode.groupMaxSizeReached : ErrorCode.none
  }

  #write(
    requestId: number,
    groupId: string,
    error: number,
    offsets: readonly OffsetToCommit[],
    producer: CommittingProducer | undefined,
  ): void {
    const codes = offsets.map(({ value }) =>
      error === ErrorCode.none ? this.#check(value) : error,
    )
    const records = offsets
      .filter((_, index) => codes[index] === ErrorCode.none)
      .map((offset): OffsetRecord => ({ type: 'offset', groupId, ...offset }))
    if (records.length === 0) {
      this.#answer(requestId, codes, ErrorCode.none)
      return
    }
    const entry = this.#registry.findOrCreate(groupId)
    this.#registry.appendOffsets(entry, records, producer, (errorCode) =>
      this.#answer(requestId, codes, errorCode),
    )
  }

  #check({ metadata }: CommittedOffset): number {
    const isTooLarge = Buffer.byteLength(metadata) > this.#limits.maxOffsetMetadataBytes
    return isTooLarge ? ErrorCode.offsetMetadataTooLarge : ErrorCode.none
  }

  /** `errorCode` is for everything that was admitted. */
  #answer(requestId: number, codes: readonly number[], errorCode: number): void {
    const errorCodes = codes.map((code) => (code === ErrorCode.none ? errorCode : code))
    this.#registry.effect({ type: 'written', requestId, errorCodes })
  }
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${partition}/${topic}`
}
