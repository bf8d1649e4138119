// The interface of a channel to sources and sinks. Events pass in batches; a take may return other
// portions than were put. Only transactions change a channel.

import type { EventBatch } from '../event.ts'
import type { ChannelCounter } from '../monitoring/counters.ts'
import type { FileIdentity, SafePosition, SourcePosition } from './sourcePosition.ts'

export interface Channel {
  readonly name: string
  readonly type: string
  readonly capacity: number
  readonly transactionCapacity: number
  /** Events in it, the taken and uncommitted ones included. */
  readonly size: number
  readonly counter: ChannelCounter
  /**
   * Milliseconds since the oldest event in it was put; 0 when it is empty or not open. Events that a restart has
   * recovered count as put when the channel was opened.
   */
  readonly oldestEventMs: number
  /** Milliseconds for which it has held events and none has left it; 0 when it is empty or not open. */
  readonly stalledMs: number
  /** Puts that were committed and wait for slots. */
  readonly pendingPuts: number
  /** See EventStore. */
  readonly pendingWrites: number
  /** Opens it. Until then, and after `stop`, every use fails with CHANNEL_CLOSED. */
  start(): Promise<void>
  /**
   * Closes it. `isHandedOn`: the next agent of this process starts it again, with the events of a memory
   * channel still in it.
   */
  stop(isHandedOn?: boolean): Promise<void>
  transaction(): ChannelTransaction
  /** Calls back when the channel stops, its sinks having stopped, while it can still be asked. */
  onStop(callback: () => Promise<void>): void
  /** End of this source's last committed put from this file: the next put starts there. */
  lastPosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SourcePosition | undefined
  /**
   * Up to where no event of this file would be lost if the process ended now: the last position for a
   * channel that keeps its events, what sinks have committed for one that forgets them.
   */
  safePosition(
    source: string,
    file: Pick<FileIdentity, 'device' | 'inode'>,
  ): SafePosition | undefined
  /** The newest stamp that this sink prepared, committed or not. */
  lastStamp(sink: string): Buffer | undefined
  /** The sink's prepared takes without a transaction: left by a crash or by `detach`, oldest first. */
  resumePrepared(sink: string): Promise<ResumedTake[]>
  /** Returns to the channel the prepared takes of all other sinks, which are no longer configured. */
  releasePrepared(sinksToKeep: ReadonlySet<string>): Promise<number>
  /** Resolves with true when events can be taken; with false after `timeoutMs` or on `signal`. */
  waitForEvents(timeoutMs: number, signal?: AbortSignal): Promise<boolean>
}

/** A prepared take from before: its transaction is OPEN, to be committed or rolled back. */
export interface ResumedTake {
  readonly transaction: ChannelTransaction
  readonly batches: readonly EventBatch[]
  readonly stamp: Buffer
}

export interface ChannelTransaction {
  begin(): void
  /**
   * Adds a batch to what `commit` will put; an empty one puts its position. With a position, `commit`
   * drops the events that the channel has already, by their `sourceEnds`, and fails with POSITION_GAP
   * when something before the position's start is missing.
   */
  put(batch: EventBatch, position?: SourcePosition): void
  /** The events at the head that are there now: at most `maxEvents`, and `maxBytes` unless one event is larger. */
  take(maxEvents: number, maxBytes?: number): Promise<EventBatch[]>
  /** Milliseconds since the oldest of the taken events was put, until `commit`; 0 when none is taken. */
  oldestTakenMs(): number
  /**
   * Notes durably which events this transaction took and what the sink is about to do with them.
   * From here on a crash hands out the same events with the same stamp first.
   */
  prepare(sink: string, stamp: Buffer): Promise<void>
  /**
   * Puts: resolves when the events are durable (as far as the channel is). Commits of puts take
   * effect in the order of the calls. Takes: the events leave the channel.
   */
  commit(): Promise<void>
  /** Taken events return to the head, in order. Puts are discarded. */
  rollback(): Promise<void>
  /** Releases a prepared take without settling it: `resumePrepared` returns it again. */
  detach(): void
  close(): void
}
