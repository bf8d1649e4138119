// Commits, fetches, deletes and expires offsets, inside and outside of transactions. Groups decide
// who may do so (group.ts), and the registry numbers the appends. The continuation of an append is
// plain data. Times are monotonic milliseconds, unless the name says wall clock.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Appended } from '../../coordinators/coordinatorTopic.ts'
import type { AppendStep, OffsetsContinuation, PendingOperation } from '../appendStep.ts'
import type { Group } from '../group.ts'
import type { CommittedOffset, OffsetRecord } from '../groupRecords.ts'
import type { GroupEntry, GroupRegistry } from '../groupRegistry.ts'
import type { Committer, OffsetToCommit } from '../groupRequests.ts'
import type { GroupOffsets } from './groupOffsets.ts'
import { expiredOffsets } from './offsetExpiry.ts'
import type { CommittingProducer, TransactionalCommit } from './transactionalCommit.ts'

export interface OffsetLimits {
  readonly maxOffsetMetadataBytes: number
  /** Retention of unused offsets, in ms. */
  readonly offsetsRetentionMs: number
}

export interface OffsetPartition {
  readonly topic: string
  readonly partition: number
}

/** Size of a batch of tombstones, far below the largest batch that a log accepts. */
const tombstoneBatchBytes = 128 * 1024
/**
 * Size of a tombstone without the group id: a topic name is at most 249 bytes, the rest is small.
 */
const maxTombstoneBytes = 320
/** Bytes of a UTF-16 code unit in UTF-8, at most. */
const maxCharacterBytes = 3

/** First version of OffsetCommit whose clients know GROUP_ID_NOT_FOUND. */
const groupIdNotFoundVersion = 9

export class OffsetCoordinator {
  readonly #registry: GroupRegistry
  readonly #limits: OffsetLimits
  readonly #operations = new Map<number, PendingOperation>()
  #nextOperationId = 1

  constructor(registry: GroupRegistry, limits: OffsetLimits) {
    this.#registry = registry
    this.#limits = limits
  }

  /**
   * Commits offsets. Answered with an error code for each, when those that are admitted are
   * durable.
   */
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

  /** Commits offsets within a transaction: they are visible once its commit marker is durable. */
  commitInTransaction(requestId: number, commit: TransactionalCommit): void {
    const { groupId, offsets, producerId, producerEpoch, verification } = commit
    const error = this.#admitTransactionalCommit(commit)
    this.#write(requestId, groupId, error, offsets, { producerId, producerEpoch, verification })
  }

  /**
   * Returns 0 when the caller may read the group's offsets. A group that does not exist has none.
   */
  admitFetch(groupId: string, memberId: string | null, memberEpoch: number): number {
    const group: Group | undefined = this.#registry.find(groupId)?.group
    const error = group?.admitOffsetFetch(memberId, memberEpoch)
    return error === undefined || error === ErrorCode.groupIdNotFound ? ErrorCode.none : error
  }

  of(groupId: string): GroupOffsets | undefined {
    return this.#registry.find(groupId)?.offsets
  }

  /** Returns 0 when offsets of the group may be deleted. `delete` checks each topic. */
  admitDelete(groupId: string): number {
    if (groupId === '') return ErrorCode.invalidGroupId
    const entry = this.#registry.find(groupId)
    return entry ? entry.group.admitOffsetDelete() : ErrorCode.groupIdNotFound
  }

  /** Deletes offsets. Answered with an error code for each, when the deletion is durable. */
  delete(requestId: number, groupId: string, partitions: readonly OffsetPartition[]): void {
    const entry = this.#registry.find(groupId)
    const codes = partitions.map(({ topic }) =>
      entry?.group.isSubscribedTo(topic) ? ErrorCode.groupSubscribedToTopic : ErrorCode.none,
    )
    if (!entry) {
      this.#answer(requestId, codes, ErrorCode.groupIdNotFound)
      return
    }
    const known = new Set(entry.offsets.partitions().map(keyOf))
    const deleted = partitions.filter(
      (each, index) => codes[index] === ErrorCode.none && known.has(keyOf(each)),
    )
    this.#removeOffsets([{ entry, partitions: deleted }], {
      ...{ type: 'answer', requestId, errorCodes: codes },
    })
  }

  /**
   * Removes the offsets that groups committed for a deleted topic. Answered when the removal is
   * durable.
   */
  forgetTopic(requestId: number, topic: string): void {
    const removals = this.#registry.all().flatMap((entry) => {
      const partitions = entry.offsets.partitions().filter((each) => each.topic === topic)
      return partitions.length > 0 ? [{ entry, partitions }] : []
    })
    this.#removeOffsets(removals, { type: 'answer', requestId, errorCodes: [ErrorCode.none] })
  }

  /** Deletes an empty group with its offsets. Answered when the deletion is durable. */
  deleteGroup(requestId: number, groupId: string): void {
    const entry = this.#registry.find(groupId)
    if (!entry?.group.isEmpty) {
      const error = entry ? ErrorCode.nonEmptyGroup : ErrorCode.groupIdNotFound
      this.#answer(requestId, [ErrorCode.none], error)
      return
    }
    const partitions = entry.offsets.partitions()
    this.#removeOffsets([{ entry, partitions }], { type: 'removeGroup', requestId })
  }

  /** Removes expired offsets, and empty groups that have no other offsets. */
  expire(nowMs: number, wallClockMs: number): void {
    const { offsetsRetentionMs } = this.#limits
    for (const entry of this.#registry.all()) {
      const { expired, isAll } = expiredOffsets(entry, nowMs, wallClockMs, offsetsRetentionMs)
      const isOver = isAll && entry.group.isEmpty
      if (!isOver && expired.length === 0) continue
      const next: OffsetsContinuation = isOver
        ? { type: 'removeGroup', requestId: undefined }
        : { type: 'nothing' }
      this.#removeOffsets([{ entry, partitions: expired }], next)
    }
  }

  /**
   * Continues after an append of offsets or of their tombstones, which is durable or has failed.
   */
  written(
    entry: GroupEntry,
    appendId: number,
    { next }: Extract<AppendStep, { type: 'offsets' }>,
    { errorCode, baseOffset }: Appended,
  ): void {
    entry.offsets.wrote(appendId, errorCode === ErrorCode.none ? baseOffset : undefined)
    if (next.type === 'operation') this.#operationAppended(entry, next.operationId, errorCode)
    else this.#continue(entry, next, errorCode)
  }

  /** Continues after the append of a group's tombstones, which is durable or has failed. */
  groupRemoved(entry: GroupEntry, requestId: number | undefined, errorCode: number): void {
    const isUnused = entry.group.isEmpty && entry.offsets.isEmpty
    if (errorCode === ErrorCode.none && isUnused) this.#registry.remove(entry)
    this.#answer(requestId, [ErrorCode.none], errorCode)
  }

  /** Returns the operations that wait for appends. */
  pending(): PendingOperation[] {
    return [...this.#operations.values()]
  }

  /** Appends the tombstones of any number of offsets. Continues once all of them are durable. */
  #removeOffsets(
    removals: readonly {
      readonly entry: GroupEntry
      readonly partitions: readonly OffsetPartition[]
    }[],
    next: OffsetsContinuation,
  ): void {
    const appends = removals.flatMap(({ entry, partitions }) =>
      tombstoneBatches(entry.groupId, partitions).map((records) => ({ entry, records })),
    )
    if (appends.length === 0) {
      const [first] = removals
      this.#continue(first?.entry, next, ErrorCode.none)
      if (first) this.#registry.settle(first.entry)
      return
    }
    const operationId = this.#nextOperationId++
    const { length: open } = appends
    this.#operations.set(operationId, { operationId, open, errorCode: ErrorCode.none, next })
    for (const { entry, records } of appends) {
      this.#registry.appendOffsets(entry, records, undefined, { type: 'operation', operationId })
    }
  }

  #operationAppended(entry: GroupEntry, operationId: number, errorCode: number): void {
    const operation = this.#operations.get(operationId)
    assert(operation && operation.open > 0, `operation ${operationId} waits for an append`)
    if (errorCode !== ErrorCode.none) operation.errorCode = errorCode
    if (--operation.open > 0) return
    this.#operations.delete(operationId)
    this.#continue(entry, operation.next, operation.errorCode)
  }

  #continue(entry: GroupEntry | undefined, next: OffsetsContinuation, errorCode: number): void {
    if (next.type === 'answer') this.#answer(next.requestId, next.errorCodes, errorCode)
    else if (next.type === 'removeGroup') {
      assert(
        entry,
        'only the removal of offsets of one group continues with the removal of the group',
      )
      this.#removeGroup(entry, next.requestId, errorCode)
    }
  }

  /**
   * Removes the group, whose offsets are removed, unless a member has joined meanwhile. A member or
   * offset that arrives before the tombstones are durable makes a new group: the answer is still 0.
   */
  #removeGroup(entry: GroupEntry, requestId: number | undefined, offsetsError: number): void {
    const error = offsetsError || (entry.group.isEmpty ? ErrorCode.none : ErrorCode.nonEmptyGroup)
    if (error !== ErrorCode.none) {
      this.#answer(requestId, [ErrorCode.none], error)
      return
    }
    const step = { type: 'groupRemoved', requestId } as const
    this.#registry.appendGroup(entry, entry.group.tombstones(), step)
  }

  #admitCommit(nowMs: number, groupId: string, committer: Committer): number {
    const entry = this.#registry.find(groupId)
    if (entry) return entry.group.admitCommit(nowMs, committer)
    // A commit without a generation creates the group, as a tool's commit does.
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
    const next = { type: 'answer', requestId, errorCodes: codes } as const
    this.#registry.appendOffsets(entry, records, producer, next)
  }

  #check({ metadata }: CommittedOffset): number {
    const isTooLarge = Buffer.byteLength(metadata) > this.#limits.maxOffsetMetadataBytes
    return isTooLarge ? ErrorCode.offsetMetadataTooLarge : ErrorCode.none
  }

  /** Answers a request, if there is one. `errorCode` is for the items that were admitted. */
  #answer(requestId: number | undefined, codes: readonly number[], errorCode: number): void {
    if (requestId === undefined) return
    const errorCodes = codes.map((code) => (code === ErrorCode.none ? errorCode : code))
    this.#registry.effect({ type: 'answered', requestId, errorCodes })
  }
}

function tombstoneBatches(
  groupId: string,
  partitions: readonly OffsetPartition[],
): OffsetRecord[][] {
  const recordBytes = groupId.length * maxCharacterBytes + maxTombstoneBytes
  const batchSize = Math.max(1, Math.floor(tombstoneBatchBytes / recordBytes))
  const batches: OffsetRecord[][] = []
  for (let from = 0; from < partitions.length; from += batchSize) {
    const batch = partitions.slice(from, from + batchSize)
    batches.push(
      batch.map(({ topic, partition }) => ({
        ...{ type: 'offset', groupId, topic, partition, value: null },
      })),
    )
  }
  return batches
}

function keyOf({ topic, partition }: OffsetPartition): string {
  return `${partition}/${topic}`
}
