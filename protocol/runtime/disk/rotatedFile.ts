// A log file that is rotated by size and age: before FILE would exceed its maximum size, and when
// it reaches its maximum age, it is renamed to FILE.1, FILE.1 to FILE.2, and so on. When FILE is
// moved or removed by logrotate or another program, a new file is opened at its path within a
// second.
//
// Writes are asynchronous with a bounded buffer: a full or hanging disk neither ends nor blocks the
// program. Lines that do not fit into the buffer are refused with the reason, and counted by
// LogLines.

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  write,
  writeSync,
} from 'node:fs'
import type { LogOutput } from '../process/standardStreams.ts'

export interface RotatedFileOptions {
  readonly path: string
  /** Maximum size; 0 for no limit. */
  readonly maxBytes: number
  /** Maximum age; 0 for no limit. */
  readonly maxAgeMs: number
  /** Number of rotated files to keep. */
  readonly keptFiles: number
  readonly nowMs: () => number
  /** Timers, exit hooks and pauses: the process's, or a test's. */
  readonly process: Omit<LogOutput, 'write'>
  /** Called once when opening or rotating begins to fail; the old file remains in use. */
  readonly onTrouble?: (message: string) => void
}

/** Enough for a second of 10,000 lines that are logged before the event loop can write them. */
const maxBufferedBytes = 4 * 1024 * 1024
const maxWriteBytes = 256 * 1024
/** Interval between checks of FILE, and delay before a failed write is retried. */
const checkIntervalMs = 1_000
const rotationRetryMs = 60_000
/** Limit on the wait for a pending write at exit. */
const endWaitMs = 500
const endPauseMs = 5

/** O_NONBLOCK: opening a named pipe must not wait for its reader. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
const mode = 0o640

export class RotatedFile implements LogOutput {
  readonly #options: RotatedFileOptions
  #fd: number
  #stat: Stats
  /** Size of the open file. */
  #sizeBytes: number
  #createdMs: number
  #checkedMs: number
  #rotateAfterMs = 0
  /** Operations that currently fail and were reported. */
  readonly #troubles = new Set<'open' | 'rotate'>()
  /** Lines that are not being written yet; the first may be the rest of a line. */
  #buffered: Buffer[] = []
  #bufferedBytes = 0
  #writing: Buffer | undefined
  #failure: NodeJS.ErrnoException | undefined
  #isEnding = false

  /** Opens the file, or creates it. Throws the system's error. */
  constructor(options: RotatedFileOptions) {
    this.#options = options
    this.#fd = openSync(options.path, flags, mode)
    this.#stat = fstatSync(this.#fd)
    this.#sizeBytes = this.#stat.size
    this.#createdMs = this.#creationMs(this.#stat)
    this.#checkedMs = options.nowMs()
  }

  write(bytes: Uint8Array): number {
    if (this.#isEnding) return this.#writeNow(bytes)
    if (this.#bufferedBytes + bytes.length > maxBufferedBytes && this.#bufferedBytes > 0) {
      throw this.#failure ?? busy
    }
    this.#buffered.push(Buffer.from(bytes))
    this.#bufferedBytes += bytes.length
    this.#next()
    return bytes.length
  }

  later(delayMs: number, callback: () => void): void {
    this.#options.process.later(delayMs, callback)
  }

  atEnd(callback: () => void): void {
    this.#options.process.atEnd(() => {
      this.#end()
      callback()
    })
  }

  pause(ms: number): void {
    this.#options.process.pause(ms)
  }

  /** Writes buffered lines, unless a write is pending. */
  #next(): void {
    if (this.#writing !== undefined || this.#bufferedBytes === 0 || this.#isEnding) return
    this.#prepare(this.#buffered[0]!.length)
    this.#write(this.#takeBuffered(this.#roomBytes()))
  }

  /** Returns the limit on the next write: the room until the next rotation. */
  #roomBytes(): number {
    const { maxBytes } = this.#options
    if (maxBytes === 0 || !this.#stat.isFile()) return maxWriteBytes
    const room = maxBytes - this.#sizeBytes
    // Without room, the rotation has failed: the old file remains in use, with writes of full size.
    return room > 0 ? Math.min(maxWriteBytes, room) : maxWriteBytes
  }

  /** Removes and returns lines of at most `maxBytes` in total, but at least one line. */
  #takeBuffered(maxBytes: number): Buffer {
    let count = 0
    let bytes = 0
    while (count < this.#buffered.length) {
      bytes += this.#buffered[count]!.length
      if (count > 0 && bytes > maxBytes) break
      count++
    }
    const taken = Buffer.concat(this.#buffered.splice(0, count))
    this.#bufferedBytes -= taken.length
    return taken
  }

  #write(bytes: Buffer): void {
    this.#writing = bytes
    write(this.#fd, bytes, (error, written) => {
      if (this.#isEnding) return
      if (error) this.#failed(error, bytes)
      else this.#wrote(bytes, written)
    })
  }

  #wrote(bytes: Buffer, written: number): void {
    this.#failure = undefined
    this.#sizeBytes += written
    if (written < bytes.length) {
      this.#write(bytes.subarray(written))
      return
    }
    this.#writing = undefined
    this.#next()
  }

  /** Keeps the bytes and retries the write. */
  #failed(error: NodeJS.ErrnoException, bytes: Buffer): void {
    this.#failure = error
    this.#options.process.later(checkIntervalMs, () => {
      if (this.#isEnding) return
      this.#writing = undefined
      this.#buffered.unshift(bytes)
      this.#bufferedBytes += bytes.length
      this.#next()
    })
  }

  /** Reopens or rotates the file if necessary, before the next bytes are written. */
  #prepare(bytes: number): void {
    const nowMs = this.#options.nowMs()
    if (nowMs - this.#checkedMs >= checkIntervalMs || nowMs < this.#checkedMs) {
      this.#checkedMs = nowMs
      this.#follow()
    }
    if (!this.#isDue(bytes, nowMs) || nowMs < this.#rotateAfterMs) return
    // Another program that logs to the same path may have rotated it already.
    this.#follow()
    if (this.#isDue(bytes, nowMs)) this.#rotate(nowMs)
  }

  #isDue(bytes: number, nowMs: number): boolean {
    const { maxBytes, maxAgeMs } = this.#options
    if (this.#sizeBytes === 0 || !this.#stat.isFile()) return false
    const isLarge = maxBytes > 0 && this.#sizeBytes + bytes > maxBytes
    return isLarge || (maxAgeMs > 0 && nowMs - this.#createdMs >= maxAgeMs)
  }

  /**
   * Reopens the file if its path names another one; otherwise updates its size, as others may write
   * it.
   */
  #follow(): void {
    try {
      const found = statSync(this.#options.path, { throwIfNoEntry: false })
      if (found?.ino === this.#stat.ino && found.dev === this.#stat.dev)
        this.#sizeBytes = found.size
      else this.#reopen()
      this.#troubles.delete('open')
    } catch (error) {
      this.#trouble(
        'open',
        `failed to open ${this.#options.path}; the old file remains in use`,
        error,
      )
    }
  }

  #rotate(nowMs: number): void {
    const { path, keptFiles } = this.#options
    try {
      if (keptFiles === 0) rmSync(path, { force: true })
      else {
        rmSync(`${path}.${keptFiles}`, { force: true })
        for (let older = keptFiles; older > 0; older--) {
          renameIfExists(older === 1 ? path : `${path}.${older - 1}`, `${path}.${older}`)
        }
      }
      this.#reopen()
      this.#createdMs = nowMs
      this.#troubles.delete('rotate')
    } catch (error) {
      this.#rotateAfterMs = nowMs + rotationRetryMs
      const what = `failed to rotate ${path}; the old file remains in use`
      this.#trouble('rotate', what, error)
    }
  }

  #reopen(): void {
    const fd = openSync(this.#options.path, flags, mode)
    const stat = fstatSync(fd)
    closeSync(this.#fd)
    this.#fd = fd
    this.#stat = stat
    this.#sizeBytes = stat.size
    this.#createdMs = this.#creationMs(stat)
  }

  /** The creation time; the modification time on file systems without one. */
  #creationMs({ birthtimeMs, mtimeMs }: Stats): number {
    const nowMs = this.#options.nowMs()
    return Math.min(birthtimeMs > 0 ? birthtimeMs : mtimeMs, nowMs)
  }

  #trouble(kind: 'open' | 'rotate', what: string, error: unknown): void {
    if (this.#troubles.has(kind)) return
    this.#troubles.add(kind)
    this.#options.onTrouble?.(`${what}: ${(error as Error).message}`)
  }

  /** At exit: waits for the pending write, then writes the buffered lines synchronously. */
  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#awaitWriting()
    if (this.#failure !== undefined && this.#writing !== undefined) {
      this.#buffered.unshift(this.#writing)
      this.#bufferedBytes += this.#writing.length
    }
    if (this.#bufferedBytes === 0) return
    try {
      this.#writeNow(this.#takeBuffered(Infinity))
    } catch {
      // The process is exiting, and there is no other log.
    }
  }

  #awaitWriting(): void {
    const expected = this.#sizeBytes + (this.#writing?.length ?? 0)
    if (this.#writing === undefined || this.#failure !== undefined || !this.#stat.isFile()) return
    for (let waitedMs = 0; waitedMs < endWaitMs; waitedMs += endPauseMs) {
      if (fstatSync(this.#fd).size >= expected) return
      this.#options.process.pause(endPauseMs)
    }
  }

  #writeNow(bytes: Uint8Array): number {
    return writeSync(this.#fd, bytes)
  }
}

function renameIfExists(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Thrown for every refused line; shared, because a stack trace for each would be expensive. */
const busy = Object.assign(new Error('earlier writes are pending'), { code: 'EAGAIN' })
