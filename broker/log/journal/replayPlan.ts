// Computes which bytes of a journal have to be written to segments after a crash. Sans-IO: receives
// the entries in the order in which they became durable, and keeps the valid bytes of every
// segment.

import type { FoundEntry } from './journalGroup.ts'

/** Bytes in a journal file, and their position in a segment. */
export interface ReplayedBytes {
  readonly file: number
  readonly filePosition: number
  readonly position: number
  readonly lengthBytes: number
  readonly endOffset: number
}

export interface ReplayedSegment {
  readonly name: string
  readonly baseOffset: number
  /** In the order of the appends: where they overlap, later ones win. */
  readonly writes: readonly ReplayedBytes[]
}

export class ReplayPlan {
  readonly #logs = new Map<string, Map<number, ReplayedBytes[]>>()

  /** `filePosition`: the start of the entry's group. */
  add(entry: FoundEntry, file: number, filePosition: number): void {
    switch (entry.kind) {
      case 'append':
        this.#segment(entry.name, entry.baseOffset).push({
          file,
          filePosition: filePosition + entry.at,
          position: entry.position,
          lengthBytes: entry.lengthBytes,
          endOffset: entry.endOffset,
        })
        return
      case 'cut':
        this.#cut(entry.name, entry.baseOffset, entry.position)
        return
      case 'settled':
        this.#drop(entry.name, (baseOffset) => baseOffset <= entry.baseOffset)
        return
    }
  }

  /** By partition directory and base offset, without segments that need no writes. */
  *segments(): Iterable<ReplayedSegment> {
    for (const [name, segments] of this.#logs) {
      for (const [baseOffset, writes] of [...segments].sort(([one], [other]) => one - other)) {
        if (writes.length > 0) yield { name, baseOffset, writes }
      }
    }
  }

  #segment(name: string, baseOffset: number): ReplayedBytes[] {
    const segments = this.#logs.get(name) ?? new Map<number, ReplayedBytes[]>()
    this.#logs.set(name, segments)
    const writes = segments.get(baseOffset) ?? []
    segments.set(baseOffset, writes)
    return writes
  }

  #cut(name: string, baseOffset: number, position: number): void {
    this.#drop(name, (other) => other > baseOffset)
    const writes = this.#logs.get(name)?.get(baseOffset)
    if (!writes) return
    // A truncation ends between batches, but one append can hold several batches: its first part is
    // kept.
    const kept = writes
      .filter((write) => write.position < position)
      .map((write) => {
        const lengthBytes = Math.min(write.lengthBytes, position - write.position)
        return { ...write, lengthBytes }
      })
    this.#logs.get(name)!.set(baseOffset, kept)
  }

  #drop(name: string, isVoid: (baseOffset: number) => boolean): void {
    const segments = this.#logs.get(name)
    if (!segments) return
    for (const baseOffset of [...segments.keys()]) {
      if (isVoid(baseOffset)) segments.delete(baseOffset)
    }
  }
}
