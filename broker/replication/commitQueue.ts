// Appends that are durable on the leader and wait for the high watermark, ordered by the offset
// that they wait for. Sans-IO. Each append is answered once, in the order of the offsets. The
// partition accepts no append while the queue is full; only appends that were being written by then
// are added beyond the bound.

import { ErrorCode } from '../../protocol/kafka/errors.ts'

interface WaitingAppend {
  /** The offset after the last record of the append. */
  readonly endOffset: number
  readonly answer: (errorCode: number) => void
}

const maxWaiting = 65_536

export class CommitQueue {
  /** Ascending by `endOffset`. */
  #waiting: WaitingAppend[] = []

  get size(): number {
    return this.#waiting.length
  }

  get isFull(): boolean {
    return this.size >= maxWaiting
  }

  /**
   * Calls `answer` with an error code when the records below `endOffset` are committed, or never
   * will be here.
   */
  add(endOffset: number, answer: (errorCode: number) => void): void {
    let at = this.#waiting.length
    // Only the retry of an older batch is not added at the end.
    while (at > 0 && this.#waiting[at - 1]!.endOffset > endOffset) at--
    this.#waiting.splice(at, 0, { endOffset, answer })
  }

  /** All records below `highWatermark` are committed. */
  committed(highWatermark: number): void {
    let count = 0
    while (count < this.size && this.#waiting[count]!.endOffset <= highWatermark) count++
    if (count === 0) return
    for (const { answer } of this.#waiting.splice(0, count)) answer(ErrorCode.none)
  }

  /** Answers all waiting appends with an error. */
  refuse(errorCode: number): void {
    const refused = this.#waiting
    this.#waiting = []
    for (const { answer } of refused) answer(errorCode)
  }
}
