// Which leader epoch begins at which offset (KIP-101): what replicas compare to find where their
// logs part. A state machine with a text form (leader-epoch-checkpoint); it does no I/O. Epochs and
// start offsets in it both rise.

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

  /** The newest epoch; -1 when no batch has had one. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /** The epoch of the batch at `offset`; undefined when none is known to have begun by then. */
  epochAt(offset: number): number | undefined {
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const entry = this.#entries[at]!
      if (entry.startOffset <= offset) return entry.epoch
    }
    return undefined
  }

  /** Notes the epoch of the batch at `startOffset`; true when it is a new one. */
  assign(epoch: number, startOffset: number): boolean {
    if (epoch <= this.latest) return false
    // An epoch under which nothing was written has no place in the log.
    this.truncateFromEnd(startOffset)
    this.#entries.push({ epoch, startOffset })
    return true
  }

  /**
   * The largest epoch of at most `epoch` and the offset at which it ends, where `logEndOffset` ends
   * the newest. Undefined when no such epoch is known.
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
   * Forgets the epochs that end at `startOffset` or below, and lets the first of the others begin
   * there at the earliest; true when that changed anything.
   */
  truncateFromStart(startOffset: number): boolean {
    const first = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset)
    if (first < 0 || (first === 0 && this.#entries[0]!.startOffset === startOffset)) return false
    const { epoch } = this.#entries[first]!
    this.#entries = [{ epoch, startOffset }, ...this.#entries.slice(first + 1)]
    return true
  }

  /** Forgets the epochs that begin at `endOffset` or above; true when there were any. */
  truncateFromEnd(endOffset: number): boolean {
    const kept = this.#entries.filter((entry) => entry.startOffset < endOffset)
    const changed = kept.length < this.#entries.length
    this.#entries = kept
    return changed
  }
}
