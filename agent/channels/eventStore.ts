// The interface to the storage of a channel: the bytes of its events and, if it is durable, a log
// of its operations. A store makes no decisions: ChannelState does. It must record operations in
// the order of the calls.

import type { EventBatch } from '../event.ts'
import type { ChannelState, PreparedTake } from './channelState.ts'
import type { Entry } from './entryList.ts'
import type { Range } from './rangeSet.ts'
import type { FileIdentity, SafePosition, SourcePosition } from './sourcePosition.ts'

/**
 * One batch of a put transaction. `range`: the numbers of its events; undefined for an empty batch.
 */
export interface StoredPut {
  readonly range: Range | undefined
  readonly batch: EventBatch
  readonly position: SourcePosition | undefined
  /** Monotonic time of the transaction's commit. */
  readonly putMs: number
}

export interface EventStore {
  /**
   * Operations that wait for a write to the log; 0 without a log. Bounded, as the channel's events
   * and transactions are.
   */
  readonly pendingWrites: number
  /**
   * Recovers `state` as the last run left it; recovered events count as put at `nowMs` (monotonic).
   */
  open(state: ChannelState, nowMs: number): Promise<void>
  /**
   * Closes the store. `isHandedOn`: it will be opened again by this process and keeps its memory.
   */
  close(isHandedOn?: boolean): Promise<void>
  /** Throws if no event can be put although there are slots, such as on a full disk. */
  checkSpace(): void
  /**
   * Stores the batches of one transaction, all or none. Resolves when they are durable; after a
   * failure the store has none of them, nor of any later put.
   */
  put(puts: readonly StoredPut[]): Promise<void>
  /** Resolves when operations can be recorded; after a failure, the log is repaired first. */
  makeWritable(): Promise<void>
  /** Records a prepared take; resolves when the record is durable. */
  prepare(take: PreparedTake): Promise<void>
  /** Records that events have left the channel; `preparedId` is 0 if the take was not prepared. */
  take(ranges: readonly Range[], preparedId: number): void
  /** Records that a prepared take was rolled back. */
  release(preparedId: number): void
  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined
  entryHolding(event: number): Entry
  /** Returns the monotonic time of an event's put; undefined for an event without an entry. */
  putMsOf(event: number): number | undefined
  load(entry: Entry): Promise<EventBatch>
}
