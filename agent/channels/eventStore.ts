// The storage of a channel: the bytes of its events and, if it is durable, the log of operations. A store
// makes no decisions: ChannelState does, and a store records its operations in the order of the calls.

import type { EventBatch } from '../event.ts'
import type { ChannelState, PreparedTake } from './channelState.ts'
import type { Entry } from './entryList.ts'
import type { Range } from './rangeSet.ts'
import type { FileIdentity, SafePosition, SourcePosition } from './sourcePosition.ts'

/** One batch of a put transaction, with the numbers that its events got; none for an empty batch. */
export interface StoredPut {
  readonly range: Range | undefined
  readonly batch: EventBatch
  readonly position: SourcePosition | undefined
  /** When the transaction was committed, by the monotonic clock. */
  readonly putMs: number
}

export interface EventStore {
  /**
   * Operations that wait for a write to the log; 0 without a log. Bounded, as the channel's events
   * and transactions are.
   */
  readonly pendingWrites: number
  /** Recovers `state` as the last run left it; recovered events count as put at `nowMs` (monotonic). */
  open(state: ChannelState, nowMs: number): Promise<void>
  /** `isHandedOn`: the store is opened again by this process, and keeps what it has in memory. */
  close(isHandedOn?: boolean): Promise<void>
  /** Throws when no event can be put although there are slots (no space left on the disk). */
  checkSpace(): void
  /**
   * Keeps the batches of one transaction, all or none. Resolves when they are durable; after a
   * failure, the store has none of them, nor of any put after them.
   */
  put(puts: readonly StoredPut[]): Promise<void>
  /** Resolves when it is durable. */
  prepare(take: PreparedTake): Promise<void>
  /** The events have left the channel; `preparedId` 0 when the take was not prepared. */
  take(ranges: readonly Range[], preparedId: number): void
  /** A prepared take was rolled back. */
  release(preparedId: number): void
  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined
  entryHolding(event: number): Entry
  /** When an event was put, by the monotonic clock; undefined for one that has no entry (any more). */
  putMsOf(event: number): number | undefined
  load(entry: Entry): Promise<EventBatch>
}
