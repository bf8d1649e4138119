// One subscription of the embedded log: gets entries as they are appended, and reads what it has
// missed from the store. Entries are delivered once and in order; a listener that ends the
// subscription gets nothing after that.

import type { LogEntry, LogListener } from './coordinationLog.ts'
import type { StoredHistory } from './storedHistory.ts'

export class EmbeddedSubscription {
  readonly #listener: LogListener
  #delivered: number
  isEnded = false
  /** Whether a read of missed entries waits or is in progress. */
  isReading = false

  constructor(sequence: number, listener: LogListener) {
    this.#delivered = sequence
    this.#listener = listener
  }

  isBehind(lastSequence: number): boolean {
    return !this.isEnded && this.#delivered < lastSequence
  }

  /** Delivers those of the entries that are next. */
  deliver(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (this.isEnded) return
      if (entry.sequence !== this.#delivered + 1) continue
      this.#delivered = entry.sequence
      this.#listener.onEntry(entry)
    }
  }

  /** Delivers what the store has after the last delivered entry. */
  async catchUp(stored: StoredHistory, snapshotSequence: number): Promise<void> {
    if (!this.isEnded && this.#delivered < snapshotSequence) {
      const snapshot = await stored.snapshot()
      if (snapshot !== undefined && !this.isEnded) {
        this.#delivered = snapshot.sequence
        this.#listener.onSnapshot(snapshot)
      }
    }
    if (this.isEnded) return
    for await (const entries of stored.groupsAfter(this.#delivered)) {
      this.deliver(entries)
      if (this.isEnded) return
    }
  }

  setReachable(isReachable: boolean): void {
    if (!this.isEnded) this.#listener.onReachable(isReachable)
  }
}
