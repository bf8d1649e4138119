// The contents of a coordination log in memory: identity, entries, snapshot. Plain state. Each
// method is one atomic step of the log.

import { assert } from '../../runtime/assert.ts'
import { CoordinationError } from '../coordinationError.ts'
import type {
  AppendOutcome,
  LogEntry,
  LogHistory,
  LogIdentity,
  LogSnapshot,
} from './coordinationLog.ts'
import { beyondEnd, trimmedAway } from './logRefusals.ts'

export class MemoryLogState {
  readonly #keptEntries: number
  #identity: LogIdentity
  #snapshot: LogSnapshot | undefined
  /** Consecutive, up to the last one. */
  #entries: LogEntry[] = []
  #lastSequence = 0

  /** `keptEntries`: number of entries before a snapshot that are kept. */
  constructor(identity: LogIdentity, keptEntries: number) {
    this.#identity = identity
    this.#keptEntries = keptEntries
  }

  get identity(): LogIdentity {
    return this.#identity
  }

  get snapshot(): LogSnapshot | undefined {
    return this.#snapshot
  }

  get lastSequence(): number {
    return this.#lastSequence
  }

  /** Sequence of the first entry; that of the next one if there is none. */
  get firstSequence(): number {
    return this.#lastSequence - this.#entries.length + 1
  }

  entry(sequence: number): LogEntry {
    const entry = this.#entries[sequence - this.firstSequence]
    assert(entry?.sequence === sequence, 'an entry is in the log from the first to the last')
    return entry
  }

  history(): LogHistory {
    return {
      identity: this.#identity,
      snapshot: this.#snapshot,
      entries: this.#from((this.#snapshot?.sequence ?? 0) + 1),
      lastSequence: this.#lastSequence,
    }
  }

  append(sequence: number, bytes: Uint8Array): AppendOutcome {
    if (sequence <= this.#lastSequence) return 'conflict'
    if (sequence !== this.#lastSequence + 1) throw beyondEnd(sequence, this.#lastSequence)
    this.#entries.push({ sequence, bytes })
    this.#lastSequence = sequence
    return 'appended'
  }

  entriesAfter(sequence: number): readonly LogEntry[] {
    if (sequence + 1 < this.firstSequence) throw trimmedAway(sequence, this.firstSequence)
    return this.#from(sequence + 1)
  }

  writeSnapshot(snapshot: LogSnapshot): void {
    if (this.#snapshot !== undefined && snapshot.sequence <= this.#snapshot.sequence) return
    if (snapshot.sequence > this.#lastSequence) {
      throw new CoordinationError(
        'COORDINATION_DAMAGED',
        `a snapshot at ${snapshot.sequence} is beyond the end of the log, ${this.#lastSequence}`,
      )
    }
    this.#snapshot = snapshot
    this.#entries = this.#from(snapshot.sequence + 1 - this.#keptEntries)
  }

  /** Removes the last entries; those in the snapshot stay lost for a reader of entries. */
  loseSuffix(count: number): void {
    assert(count <= this.#entries.length, 'only entries that are in the log can be lost')
    this.#entries.length -= count
    this.#lastSequence -= count
  }

  /** Replaces the bytes of the last entry. */
  fork(bytes: Uint8Array): void {
    assert(this.#entries.length > 0, 'a log without entries cannot fork')
    this.#entries[this.#entries.length - 1] = { sequence: this.#lastSequence, bytes }
  }

  replace(history: LogHistory): void {
    this.#identity = history.identity
    this.#snapshot = history.snapshot
    this.#entries = [...history.entries]
    this.#lastSequence = history.lastSequence
  }

  #from(sequence: number): LogEntry[] {
    return this.#entries.slice(Math.max(0, sequence - this.firstSequence))
  }
}
