// Channels: bounded queues of events between sources and sinks, with Flume's transactions. This
// file is the interface to sources and sinks. Events pass in batches; a take may return other
// batches than were put.
//
// Contract. Events leave a channel in the order in which they were put, unless a take is rolled
// back. A put carries its source's position: both are in the channel, or neither is. A prepared
// take is handed out again after a crash with the same events and the same stamp, so that a sink
// can repeat it exactly. Asserted: events put = events that left + events held; puts never exceed
// the capacity; positions never go back.
//
// Only transactions change a channel. It must never acknowledge a put that a crash could lose (a
// memory channel: that a source could not read again, without logging it), nor a position beyond
// such a put.

import type { EventBatch } from '../event.ts'
import type { ChannelCounter } from '../monitoring/counters.ts'
import type { FileIdentity, SafePosition, SourcePosition } from './sourcePosition.ts'

export interface Channel {
  readonly name: string
  readonly type: string
  readonly capacity: number
  readonly transactionCapacity: number
  /** Number of events in the channel, including taken events whose take is not committed. */
  readonly size: number
  readonly counter: ChannelCounter
  /**
   * Time since the oldest event in the channel was put, in ms; 0 if it is empty or not open.
   * Recovered events count as put when the channel was opened.
   */
  readonly oldestEventMs: number
  /**
   * Time for which the channel has held events and none has left, in ms; 0 if empty or not open.
   */
  readonly stalledMs: number
  /** Puts that were committed and wait for slots. */
  readonly pendingPuts: number
  /** See EventStore. */
  readonly pendingWrites: number
  /** Opens it. Until then, and after `stop`, every use fails with CHANNEL_CLOSED. */
  start(): Promise<void>
  /**
   * Closes the channel. `isHandedOn`: the next agent of this process will start it again, and a
   * memory channel keeps its events.
   */
  stop(isHandedOn?: boolean): Promise<void>
  transaction(): ChannelTransaction
  /**
   * Registers a callback for the stop of the channel: after its sinks stopped, before it closes.
   */
  onStop(callback: () => Promise<void>): void
  /**
   * Returns the position of this source's last committed put of a file; the next put starts there.
   */
  lastPosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SourcePosition | undefined
  /**
   * Returns the position up to which no event of a file would be lost if the process ended now: the
   * last position in a durable channel, the position committed by sinks in a memory channel.
   */
  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined
  /** Returns the newest stamp that a sink prepared, whether or not its take is committed. */
  lastStamp(sink: string): Buffer | undefined
  /**
   * Returns a sink's prepared takes that a crash or `detach` left without transaction, oldest
   * first.
   */
  resumePrepared(sink: string): Promise<ResumedTake[]>
  /** Rolls back the prepared takes of all other sinks, which are no longer configured. */
  releasePrepared(sinksToKeep: ReadonlySet<string>): Promise<number>
  /** Resolves with true once events can be taken; with false after `timeoutMs` or on `signal`. */
  waitForEvents(timeoutMs: number, signal?: AbortSignal): Promise<boolean>
}

/**
 * A take prepared earlier. Its transaction is OPEN, and is committed or rolled back as any other.
 */
export interface ResumedTake {
  readonly transaction: ChannelTransaction
  readonly batches: readonly EventBatch[]
  readonly stamp: Buffer
}

export interface ChannelTransaction {
  begin(): void
  /**
   * Adds a batch for `commit` to put; an empty batch puts only its position. With a position,
   * `commit` drops events that the channel already has (by their `sourceEnds`), and fails with
   * POSITION_GAP if bytes before the position's start are missing.
   */
  put(batch: EventBatch, position?: SourcePosition): void
  /**
   * Takes the events at the head, without waiting: at most `maxEvents` and `maxBytes`, or one
   * larger event.
   */
  take(maxEvents: number, maxBytes?: number): Promise<EventBatch[]>
  /** Time since the oldest taken event was put, in ms; 0 if none is taken. Call before `commit`. */
  oldestTakenMs(): number
  /**
   * Records durably which events this transaction took, with the sink's stamp. After a crash the
   * channel hands out the same events with the same stamp before any others.
   */
  prepare(sink: string, stamp: Buffer): Promise<void>
  /**
   * Commits. Puts: resolves when the events are durable, if the channel is; commits take effect in
   * the order of the calls. Takes: the events leave the channel.
   */
  commit(): Promise<void>
  /** Rolls back: taken events return to the head in their order, puts are discarded. */
  rollback(): Promise<void>
  /**
   * Ends the transaction of a prepared take without settling it: `resumePrepared` returns it again.
   */
  detach(): void
  close(): void
}
