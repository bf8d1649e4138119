// A metadata log in memory, for brokers that keep nothing on disk. Outlives its brokers: a
// restarted broker finds the entries appended before. Several brokers may share it, as the nodes of
// a cluster do. Its fields are open to tests, which read what was written and prepare histories.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { MetadataEntry, SnapshotEntry } from './metadataCommand.ts'
import type {
  AppendOutcome,
  EntryListener,
  MetadataHistory,
  MetadataLog,
  StoredEntry,
  StoredSnapshot,
} from './metadataLog.ts'
import { MetadataSubscriptions } from './metadataSubscriptions.ts'

export class MemoryMetadataLog implements MetadataLog {
  entries: StoredEntry[] = []
  /** Sequence of the first of the entries. */
  sequence = 0
  snapshot: StoredSnapshot | undefined
  /** If set, every append and read fails with it. */
  failure: Error | undefined
  readonly #subscriptions = new MetadataSubscriptions()

  async load(): Promise<MetadataHistory> {
    const { snapshot, entries, nextSequence } = this
    return { snapshot, entries: [...entries], nextSequence }
  }

  get nextSequence(): number {
    return this.sequence + this.entries.length
  }

  async append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
    if (this.failure) throw this.failure
    const next = this.nextSequence
    assert(sequence <= next, `entry ${sequence} would leave a gap: the log has ${next} entries`)
    if (sequence < next) return 'conflict'
    this.entries.push(entry)
    this.#deliver()
    return 'appended'
  }

  subscribe(sequence: number, listener: EntryListener): () => void {
    return this.#subscriptions.add(sequence, listener)
  }

  async read(sequence: number): Promise<readonly StoredEntry[]> {
    if (this.failure) throw this.failure
    this.#deliver()
    return this.entries.slice(Math.max(0, sequence - this.sequence))
  }

  async compact(sequence: number, snapshot: SnapshotEntry): Promise<void> {
    // Another node's snapshot may be newer.
    if (sequence <= this.sequence) return
    this.#deliver()
    this.snapshot = snapshot
    this.entries = this.entries.slice(sequence - this.sequence)
    this.sequence = sequence
  }

  async close(): Promise<void> {}

  #deliver(): void {
    this.#subscriptions.deliver(this.sequence, this.entries)
  }
}
