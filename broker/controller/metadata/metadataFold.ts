// Folds the metadata log into the state: a snapshot, then every entry, exactly once and without a
// gap. The only caller of `MetadataState.apply`; nothing else can change the state.

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
   * Folds the history that the log had when it was loaded. Throws a BrokerError for entries of a
   * later release.
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

  /** Sequence of the next entry to fold. */
  get nextSequence(): number {
    return this.#nextSequence
  }

  /** Number of entries that a start has to replay. */
  get entriesSinceSnapshot(): number {
    return this.#entriesSinceSnapshot
  }

  /** Folds the entry and returns it in the form of this release. */
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

  /** A snapshot of all entries below `sequence` was written. */
  snapshotWritten(sequence: number): void {
    this.#entriesSinceSnapshot = this.#nextSequence - sequence
  }
}
