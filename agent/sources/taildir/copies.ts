// Recognizes a copy of a followed file under a matching name, as logrotate's copytruncate makes it,
// so that lines read from the original are not read again. A new file that begins like a followed
// file is checked for a while before it is read, because the copy may still be growing, and the
// original is truncated only afterwards.
//
// A file is recognized as a copy if its first bytes and the bytes before the original's last
// position are equal. A file of identical lines only cannot be distinguished from a copy of another
// such file.

import type { DiskStat } from '../../../protocol/runtime/disk/disk.ts'
import type { FormerPosition } from '../../channelProcessor.ts'
import type { TailFile } from './tailFile.ts'

/** Time for which a possible copy is checked after it last grew, and in total. */
const waitMs = 1000
const longestWaitMs = 60_000
/** A file that grows by less between two checks is a log, not a copy in progress. */
const copyGrowthBytes = 64 * 1024
/** Time after a truncation within which a copy may appear. */
const formerKeptMs = 60_000

interface Suspect {
  readonly sinceMs: number
  readonly grewMs: number
  readonly sizeBytes: number
}

/** What a new file is: a copy, undecided until the next scan (`wait`), or `new`. */
export type CopyJudgement =
  | { readonly copiedFrom: TailFile; readonly former: FormerPosition }
  | 'wait'
  | 'new'

export class Copies {
  readonly #suspects = new Map<string, Suspect>()

  /** Judges a new file, which is open and of which only the head was read, against the `others`. */
  async judge(
    key: string,
    file: TailFile,
    { sizeBytes }: DiskStat,
    others: Iterable<TailFile>,
    nowMs: number,
  ): Promise<CopyJudgement> {
    const head = file.headNow!.bytes
    if (head.length === 0) return 'new'
    let mayBecomeCopy = false
    for (const other of others) {
      const { former, olderFormers, position } = other
      const formers = former === undefined ? [] : [former, ...olderFormers]
      // After a rotation by renaming or removal, the next file of that name may begin with equal
      // lines.
      if (other.isOrphan || other.formerPath === file.path) continue
      for (const former of formers) {
        if (nowMs - former.truncatedMs >= formerKeptMs) continue
        const { end: offset, fingerprint } = former.position
        if (fingerprint.lengthBytes > 0 && beginsAs(head, former.head)) {
          const isWhole = sizeBytes >= offset
          if (isWhole && (await file.matches([{ end: offset, fingerprint }]))) {
            this.#suspects.delete(key)
            return { copiedFrom: other, former: former.position }
          }
          mayBecomeCopy ||= !isWhole && former.head.length > 0
        }
      }
      // The file's current content may differ from the content that was read.
      const now = other.headNow?.readMs === nowMs ? other.headNow.bytes : other.head
      // The original was truncated but not read since, as when its channel is full: compare after
      // that.
      const isTruncated = now.length < other.head.length || !beginsAs(now, other.head)
      if (isTruncated && beginsAs(head, other.head)) return 'wait'
      const isUnread = other.head.length === 0 || !beginsAs(now, other.head)
      const isCopyOfUnread = isUnread && now.length > 0 && beginsAs(head, now)
      const isCopyOfRead = other.head.length > 0 && beginsAs(head, other.head)
      const { offset: end, fingerprint } = position
      mayBecomeCopy ||=
        isCopyOfUnread ||
        (isCopyOfRead && (sizeBytes < end || (await file.matches([{ end, fingerprint }]))))
    }
    if (mayBecomeCopy && this.#isWorthWaiting(key, sizeBytes, nowMs)) return 'wait'
    this.#suspects.delete(key)
    return 'new'
  }

  /** Drops suspects that were not found any more. */
  retain(keys: { has(key: string): boolean }): void {
    for (const key of this.#suspects.keys()) if (!keys.has(key)) this.#suspects.delete(key)
  }

  get areWaiting(): boolean {
    return this.#suspects.size > 0
  }

  #isWorthWaiting(key: string, sizeBytes: number, nowMs: number): boolean {
    const before = this.#suspects.get(key) ?? { sinceMs: nowMs, grewMs: nowMs, sizeBytes }
    const hasGrown = sizeBytes - before.sizeBytes >= copyGrowthBytes
    const now = { ...before, sizeBytes, grewMs: hasGrown ? nowMs : before.grewMs }
    this.#suspects.set(key, now)
    return nowMs - now.grewMs < waitMs && nowMs - now.sinceMs < longestWaitMs
  }
}

/**
 * Whether two heads are equal in their common length: a growing copy is shorter than its original.
 */
function beginsAs(head: Buffer, other: Buffer): boolean {
  const length = Math.min(head.length, other.length)
  return head.subarray(0, length).equals(other.subarray(0, length))
}
