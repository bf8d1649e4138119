// Reads a log file of a file channel from its start, frame by frame, through a window. Stops at the
// first invalid frame; the caller decides whether that is a torn write or damage. Uses memory for
// one window, or for one frame if that is larger.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { framePrefixBytes, isHeadValid, readFramePrefix } from './frame.ts'
import { type LogRecord, readRecord } from './logRecord.ts'

const windowBytes = 4 * 1024 * 1024

export interface ScannedRecord {
  readonly record: LogRecord
  /** Position of the frame in the file, and its size. */
  readonly position: number
  readonly sizeBytes: number
}

export class LogScanner {
  readonly #file: DiskFile
  readonly #sizeBytes: number
  #window = Buffer.alloc(0)
  #windowAt = 0
  /** All frames before this position are valid. */
  validBytes = 0

  constructor(file: DiskFile, sizeBytes: number) {
    this.#file = file
    this.#sizeBytes = sizeBytes
  }

  /** Returns the next record; undefined after the last valid one. */
  async next(): Promise<ScannedRecord | undefined> {
    const position = this.validBytes
    if (!(await this.#load(position, framePrefixBytes))) return undefined
    const prefix = readFramePrefix(this.#window, position - this.#windowAt)
    if (prefix === undefined) return undefined
    const sizeBytes = framePrefixBytes + prefix.headBytes + prefix.bodyBytes
    if (!(await this.#load(position, sizeBytes))) return undefined
    const at = position - this.#windowAt
    if (!isHeadValid(this.#window, at, prefix)) return undefined
    const headAt = at + framePrefixBytes
    const bodyAt = headAt + prefix.headBytes
    const record = readRecord(this.#window.subarray(headAt, bodyAt))
    if (record.type === 'put') {
      const crc = crc32c(this.#window, bodyAt, bodyAt + prefix.bodyBytes)
      if (crc !== record.bodyCrc) return undefined
    }
    this.validBytes = position + sizeBytes
    return { record, position, sizeBytes }
  }

  /** Reads `[position, position + length)` into the window; false beyond the end of the file. */
  async #load(position: number, length: number): Promise<boolean> {
    if (position + length > this.#sizeBytes) return false
    if (position + length <= this.#windowAt + this.#window.length) return true
    const wanted = Math.min(Math.max(windowBytes, length), this.#sizeBytes - position)
    const window = Buffer.allocUnsafeSlow(wanted)
    const filled = await this.#file.read(window, position)
    this.#window = window.subarray(0, filled)
    this.#windowAt = position
    return length <= filled
  }
}
