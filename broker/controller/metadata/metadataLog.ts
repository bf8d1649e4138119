// The order of the cluster's metadata: a log of entries, numbered by a sequence without gaps. A
// controller keeps it in the tree of coordination (coordinatedMetadataLog.ts), which a cluster
// shares. An implementation must not reorder or lose an acknowledged entry, and does not interpret
// entries.
//
// An append names the sequence of its entry, so a proposer that has not seen every earlier entry
// cannot append. A rejected append may have appended its entry nevertheless, or may still do so
// later; `read` or the subscription gives the outcome.

import type { MetadataEntry, SnapshotEntry } from './metadataCommand.ts'
import type { ReleasedCommand, ReleasedSnapshot } from './releasedMetadata.ts'

/** An entry or a snapshot as stored, possibly by an earlier release. */
export type StoredEntry = MetadataEntry | ReleasedCommand
export type StoredSnapshot = SnapshotEntry | ReleasedSnapshot

/**
 * The content of a log when it is opened: the newest snapshot, and the entries after it in order.
 */
export interface MetadataHistory {
  readonly snapshot: StoredSnapshot | undefined
  readonly entries: readonly StoredEntry[]
  /** Sequence of the next entry: one above that of the last entry. */
  readonly nextSequence: number
}

/** `conflict`: the log has another entry at that sequence, or had one before a snapshot. */
export type AppendOutcome = 'appended' | 'conflict'

export type EntryListener = (sequence: number, entry: StoredEntry) => void

export interface MetadataLog {
  /** Called once, before the first append. */
  load(): Promise<MetadataHistory>
  /**
   * Resolves with `appended` when the entry is durable at `sequence`, and with `conflict` when it
   * never will be. Calls of one proposer must not overlap. After a rejection the outcome is
   * unknown.
   */
  append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome>
  /**
   * Delivers every durable entry from `sequence` on, once and in order; the first ones are those
   * appended after `load`. An entry may be delivered before or after its own append resolves, and
   * even if the append was rejected. Returns a function that ends the subscription: nothing is
   * delivered after that.
   */
  subscribe(sequence: number, listener: EntryListener): () => void
  /**
   * Returns the durable entries from `sequence` on, including each whose append has resolved with
   * `appended`; all of them have been delivered to subscribers when this resolves. Rejects with a
   * shortage (logError.ts) if a retry may succeed, and with another error if the log cannot be used
   * any more.
   */
  read(sequence: number): Promise<readonly StoredEntry[]>
  /**
   * Replaces all entries below `sequence`, which subscribers have received, by the snapshot,
   * atomically.
   */
  compact(sequence: number, snapshot: SnapshotEntry): Promise<void>
  close(): Promise<void>
}

/** Metadata elsewhere, which may be moved into a log that has none (openMetadata.ts). */
export interface OtherMetadata {
  /** Unique among all brokers of the cluster. */
  readonly name: string
  /** Undefined if there are none, or they are retired. */
  read(): Promise<MetadataHistory | undefined>
  /** Makes them invalid, durably; no effect if they are. */
  retire(): Promise<void>
}
