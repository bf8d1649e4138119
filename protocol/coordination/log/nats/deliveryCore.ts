// Decides what a subscription delivers: a plain state machine. Entries arrive as they are
// published, which is prompt but may miss some, and from reads of the stream, which are complete.
// Positions of the stream arrive at intervals, so nothing depends on a message that may never come.
//
// Contract with the driver: it performs the effects in order, and answers each `read` and
// `readSnapshot` with `entriesRead`, `snapshotRead` or `readFailed` before it hears of another one.
// Must never deliver a gap, an entry twice, or anything after `lost`.
//
// A server that was the stream's leader may answer with an old position for some seconds after
// another one has taken over. So a position before a delivered entry counts as a loss only when it
// lasts for `confirmMs`.

import { createHash } from 'node:crypto'
import { assert } from '../../../runtime/assert.ts'
import type { LogEntry, LogSnapshot } from '../coordinationLog.ts'

export type DeliveryEffect =
  | { readonly type: 'entry'; readonly entry: LogEntry }
  | { readonly type: 'snapshot'; readonly snapshot: LogSnapshot }
  /** Read the entries from `from` to `to`, both included. */
  | { readonly type: 'read'; readonly from: number; readonly to: number }
  | { readonly type: 'readSnapshot' }
  /**
   * The log ends at `lastSequence`, or goes on there with other entries than the delivered ones.
   */
  | { readonly type: 'lost'; readonly lastSequence: number }

/** Entries of one read: a read of the largest ones must fit what a server sends to one client. */
export const maxEntriesOfRead = 32
/** Delivered entries whose digests are remembered, to notice another entry at their place. */
const maxRemembered = 256
/** A read may find nothing because entries were trimmed after the position was taken. */
const maxFruitlessReads = 3

export class DeliveryCore {
  readonly #confirmMs: number
  #delivered: number
  /** The last entry that the stream is known to have. */
  #known: number
  #isReading = false
  #isOver = false
  /** Digests of the last delivered entries, by sequence, the oldest first. */
  readonly #digests = new Map<number, string>()
  /** Since when the stream's position contradicts what was delivered. */
  #suspectSinceMs: number | undefined
  /** Reads in turn that found nothing, although the position said that there was something. */
  #fruitlessReads = 0

  /** `delivered`: the sequence after which to deliver. */
  constructor(delivered: number, confirmMs: number) {
    this.#delivered = delivered
    this.#known = delivered
    this.#confirmMs = confirmMs
  }

  get delivered(): number {
    return this.#delivered
  }

  /** An entry was published. The same one may come again, or late. */
  published(entry: LogEntry): DeliveryEffect[] {
    if (this.#isOver) return []
    if (entry.sequence <= this.#delivered) return this.#again(entry)
    this.#known = Math.max(this.#known, entry.sequence)
    if (entry.sequence === this.#delivered + 1) {
      return [this.#deliver(entry), ...this.#readOn(1)]
    }
    return this.#fruitlessReads > 0 ? [] : this.#readOn(1)
  }

  /**
   * The stream has the entries from `first` to `last`; `first` is `last` + 1 without entries.
   * `asked`: what was delivered when the position was asked for. Later entries may be newer than
   * it.
   */
  observed(first: number, last: number, asked: number, nowMs: number): DeliveryEffect[] {
    if (this.#isOver) return []
    if (last < asked) return this.#suspect(last, nowMs)
    if (this.#fruitlessReads >= maxFruitlessReads) {
      const effects = this.#suspect(this.#delivered, nowMs)
      if (effects.length > 0) return effects
    } else this.#suspectSinceMs = undefined
    this.#known = Math.max(this.#known, last)
    return this.#readOn(first)
  }

  /** The answer to `read`: consecutive entries from its start; fewer if some do not exist. */
  entriesRead(entries: readonly LogEntry[]): DeliveryEffect[] {
    this.#answered()
    const effects: DeliveryEffect[] = []
    const before = this.#delivered
    for (const entry of entries) {
      if (this.#isOver) return effects
      if (entry.sequence <= this.#delivered) effects.push(...this.#again(entry))
      else effects.push(this.#deliver(entry))
    }
    return [...effects, ...this.#readMore(this.#delivered > before)]
  }

  /** The answer to `readSnapshot`. */
  snapshotRead(snapshot: LogSnapshot | undefined): DeliveryEffect[] {
    this.#answered()
    if (this.#isOver) return []
    if (snapshot === undefined || snapshot.sequence <= this.#delivered) return this.#readMore(false)
    this.#delivered = snapshot.sequence
    this.#digests.clear()
    this.#known = Math.max(this.#known, snapshot.sequence)
    return [{ type: 'snapshot', snapshot }, ...this.#readMore(true)]
  }

  /** The stream could not be reached; the next position causes another read. */
  readFailed(): void {
    this.#answered()
  }

  #answered(): void {
    assert(this.#isReading, 'only a read that was asked for is answered')
    this.#isReading = false
  }

  /** After a read without progress, the next position tells what to do. */
  #readMore(isProgress: boolean): DeliveryEffect[] {
    this.#fruitlessReads = isProgress ? 0 : this.#fruitlessReads + 1
    return isProgress && !this.#isOver ? this.#readOn(1) : []
  }

  /** `first`: the first entry of the stream, as far as it is known. */
  #readOn(first: number): DeliveryEffect[] {
    if (this.#isReading || this.#known <= this.#delivered) return []
    this.#isReading = true
    if (first > this.#delivered + 1) return [{ type: 'readSnapshot' }]
    const from = this.#delivered + 1
    return [{ type: 'read', from, to: Math.min(this.#known, from + maxEntriesOfRead - 1) }]
  }

  #deliver(entry: LogEntry): DeliveryEffect {
    assert(entry.sequence === this.#delivered + 1, 'entries are delivered without gaps')
    this.#delivered = entry.sequence
    this.#digests.set(entry.sequence, digestOf(entry.bytes))
    for (const oldest of this.#digests.keys()) {
      if (this.#digests.size <= maxRemembered) break
      this.#digests.delete(oldest)
    }
    return { type: 'entry', entry }
  }

  /** Only a stored entry is published, so another one at the same place is proof of a loss. */
  #again({ sequence, bytes }: LogEntry): DeliveryEffect[] {
    const digest = this.#digests.get(sequence)
    if (digest === undefined || digest === digestOf(bytes)) return []
    return this.#lost(sequence - 1)
  }

  #suspect(last: number, nowMs: number): DeliveryEffect[] {
    this.#suspectSinceMs ??= nowMs
    return nowMs - this.#suspectSinceMs >= this.#confirmMs ? this.#lost(last) : []
  }

  #lost(lastSequence: number): DeliveryEffect[] {
    this.#isOver = true
    return [{ type: 'lost', lastSequence }]
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}
