// The order of the cluster's metadata: a log of entries, numbered by a sequence without gaps. A
// single node keeps it in a key-value store (levelMetadataLog.ts); a cluster shares one. An
// implementation must not reorder or lose an entry that it acknowledged, and does not know what
// entries mean.
//
// An append names the sequence that it is for, so a proposer that has not seen every entry before
// it cannot append. A rejected append may have appended its entry all the same, or may still do so
// later; `read` or the subscription says what became of it.

import type { MetadataEntry, SnapshotEntry } from './metadataCommand.ts'
import type { ReleasedCommand, ReleasedSnapshot } from './releasedMetadata.ts'

/** An entry or a snapshot as it was stored, possibly by an earlier release. */
export type StoredEntry = MetadataEntry | ReleasedCommand
export type StoredSnapshot = SnapshotEntry | ReleasedSnapshot

/** What a log holds when it is opened: the newest snapshot, and the entries after it in order. */
export interface MetadataHistory {
  readonly snapshot: StoredSnapshot | undefined
  readonly entries: readonly StoredEntry[]
  /** The sequence of the next entry: one above the last of these. */
  readonly nextSequence: number
}

/** `conflict`: the log has another entry under that sequence, or had, before a snapshot. */
export type AppendOutcome = 'appended' | 'conflict'

export type EntryListener = (sequence: number, entry: StoredEntry) => void

export interface MetadataLog {
  /** Called once, before anything is appended. */
  load(): Promise<MetadataHistory>
  /**
   * Resolves with `appended` when the entry is durable under `sequence`, and with `conflict` when
   * it never will be. Calls of one proposer must not overlap. After a rejection the outcome is
   * unknown.
   */
  append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome>
  /**
   * Delivers every durable entry from `sequence` on, once and in order; the first ones are those
   * appended after `load`. An entry may be delivered before or after its own append resolves, and
   * though its append was rejected. Returns what ends the subscription: nothing is delivered after
   * that.
   */
  subscribe(sequence: number, listener: EntryListener): () => void
  /**
   * Returns the durable entries from `sequence` on, among them each whose append has resolved with
   * `appended`; all of them have been delivered to subscribers when this resolves. Rejects with a
   * shortage (logError.ts) when another try may succeed, and with anything else when the log cannot
   * be used any more.
   */
  read(sequence: number): Promise<readonly StoredEntry[]>
  /**
   * Replaces all entries below `sequence`, which subscribers have, by the snapshot: at once or not
   * at all.
   */
  compact(sequence: number, snapshot: SnapshotEntry): Promise<void>
  close(): Promise<void>
}
