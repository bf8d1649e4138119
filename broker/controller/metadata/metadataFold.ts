// Folds the metadata log into the state: a snapshot, then entry after entry, each exactly once and
// without a gap. The only caller of `MetadataState.apply`; nothing else can change the state.

import { assert } from '../../../protocol/runtime/assert.ts'
import { formatVersion, type MetadataEntry, type SnapshotEntry } from './metadataCommand.ts'
import type { MetadataHistory, StoredEntry } from './metadataLog.ts'
import { MetadataState } from './metadataState.ts'
import { upgradeEntry, upgradeSnapshot } from './metadataUpgrade.ts'
import type { MetadataView } from './metadataView.ts'

export class MetadataFold {
  readonly #state: MetadataState
  /** The replica of every partition in entries from before partitions had replicas. */
  readonly #nodeId: number
  #nextSequence: number
  #entriesSinceSnapshot = 0

  /**
   * Folds what the log held when it was loaded. Throws a BrokerError for entries of a later
   * release.
   */
  constructor({ snapshot, entries, nextSequence }: MetadataHistory, nodeId: number) {
    this.#nodeId = nodeId
    this.#state = snapshot
      ? MetadataState.restore(upgradeSnapshot(snapshot, nodeId))
      : new MetadataState()
    const first = nextSequence - entries.length
    assert(first >= 0, 'entries are numbered from 0')
    this.#nextSequence = first
    for (const [index, entry] of entries.entries()) this.fold(first + index, entry)
  }

  get view(): MetadataView {
    return this.#state
  }

  /** The sequence of the entry that is folded next. */
  get nextSequence(): number {
    return this.#nextSequence
  }

  /** How many entries a start has to replay. */
  get entriesSinceSnapshot(): number {
    return this.#entriesSinceSnapshot
  }

  /** Folds the entry and returns it as this release writes it. */
  fold(sequence: number, stored: StoredEntry): MetadataEntry {
    assert(
      sequence === this.#nextSequence,
      `entry ${sequence} is folded after entry ${this.#nextSequence - 1}`,
    )
    const partitionsOf = (id: string) => this.#state.topicById(id)?.partitions.length ?? 0
    const entry = upgradeEntry(stored, this.#nodeId, partitionsOf)
    this.#nextSequence++
    this.#entriesSinceSnapshot++
    this.#state.apply(sequence, entry.command)
    return entry
  }

  snapshot(): SnapshotEntry {
    return { version: formatVersion, state: this.#state.snapshot() }
  }

  /** A snapshot of everything below `sequence` was written. */
  snapshotWritten(sequence: number): void {
    this.#entriesSinceSnapshot = this.#nextSequence - sequence
  }
}
