// The start offset of each leader epoch (KIP-101), by which replicas find where their logs diverge.
// Sans-IO, with a text form (leader-epoch-checkpoint). Invariant: epochs and start offsets ascend.

import { decodeCheckpoint, encodeCheckpoint } from './directory/checkpointFile.ts'

export interface LeaderEpoch {
  readonly epoch: number
  readonly startOffset: number
}

export class LeaderEpochs {
  #entries: LeaderEpoch[]

  constructor(entries: readonly LeaderEpoch[] = []) {
    this.#entries = [...entries]
  }

  static decode(bytes: Buffer): LeaderEpochs | undefined {
    const lines = decodeCheckpoint(bytes, 2)
    if (lines === undefined) return undefined
    const entries = lines.map(([epoch, start]) => ({
      epoch: Number(epoch),
      startOffset: Number(start),
    }))
    const sound = entries.every(({ epoch, startOffset }, at) => {
      const before = entries[at - 1]
      if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(startOffset)) return false
      return before === undefined || (epoch > before.epoch && startOffset >= before.startOffset)
    })
    return sound ? new LeaderEpochs(entries) : undefined
  }

  encode(): Buffer {
    return encodeCheckpoint(this.#entries.map(({ epoch, startOffset }) => [epoch, startOffset]))
  }

  get entries(): readonly LeaderEpoch[] {
    return this.#entries
  }

  /** The newest epoch; -1 without any. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /** The epoch of the batch at `offset`; undefined before the first known epoch. */
  epochAt(offset: number): number | undefined {
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const entry = this.#entries[at]!
      if (entry.startOffset <= offset) return entry.epoch
    }
    return undefined
  }

  /** Adds the epoch of the batch at `startOffset`; returns whether it is a new epoch. */
  assign(epoch: number, startOffset: number): boolean {
    if (epoch <= this.latest) return false
    // An epoch without records is not kept.
    this.truncateFromEnd(startOffset)
    this.#entries.push({ epoch, startOffset })
    return true
  }

  /**
   * The largest epoch up to `epoch` and its end offset; the newest epoch ends at `logEndOffset`.
   * Undefined if no such epoch is known.
   */
  endOffsetFor(
    epoch: number,
    logEndOffset: number,
  ): { epoch: number; endOffset: number } | undefined {
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const entry = this.#entries[at]!
      if (entry.epoch > epoch) continue
      return { epoch: entry.epoch, endOffset: this.#entries[at + 1]?.startOffset ?? logEndOffset }
    }
    return undefined
  }

  /**
   * Removes the epochs that end at or below `startOffset`; the first of the others starts there or
   * above. Returns whether anything has changed.
   */
  truncateFromStart(startOffset: number): boolean {
    const first = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset)
    if (first < 0 || (first === 0 && this.#entries[0]!.startOffset === startOffset)) return false
    const { epoch } = this.#entries[first]!
    this.#entries = [{ epoch, startOffset }, ...this.#entries.slice(first + 1)]
    return true
  }

  /** Removes the epochs that start at or above `endOffset`; returns whether there were any. */
  truncateFromEnd(endOffset: number): boolean {
    const kept = this.#entries.filter((entry) => entry.startOffset < endOffset)
    const changed = kept.length < this.#entries.length
    this.#entries = kept
    return changed
  }
}
