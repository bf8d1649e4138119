// A log file that does not grow without end. A new one begins before FILE would exceed its size, and once FILE
// is as old as it may become; the one before becomes FILE.1, that one FILE.2, and so on. When FILE is moved
// away or removed (logrotate), another one is opened in its place within a second.
//
// Writing is asynchronous and its buffer bounded: a disk that fills up or hangs neither ends nor stops the
// program. What the buffer has no room for is refused, with the reason (LogLines counts it).

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
import type { LogOutput } from './standardStreams.ts'

export interface RotatedFileOptions {
  readonly path: string
  /** 0: files are of any size. */
  readonly maxBytes: number
  /** 0: files become of any age. */
  readonly maxAgeMs: number
  /** Older files that are kept beside the one that is written. */
  readonly keptFiles: number
  readonly nowMs: () => number
  /** Timers, the end of the process and pauses: those of the real one, unless it is a test. */
  readonly process: Omit<LogOutput, 'write'>
  /** Told once why a new file could not begin; the old one is written on. */
  readonly onTrouble?: (message: string) => void
}

const mostBufferedBytes = 256 * 1024
/** How often FILE is looked for, and how soon after a failure it is tried again. */
const lookMs = 1_000
const rotationRetryMs = 60_000
/** The end of the process waits so long for a write under way. */
const endWaitMs = 500
const endPauseMs = 5

/** Never waits for the other end of a pipe. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
const mode = 0o640

export class RotatedFile implements LogOutput {
  readonly #options: RotatedFileOptions
  #fd: number
  #stat: Stats
  /** Of the open file, with what is under way. */
  #sizeBytes: number
  #bornMs: number
  #lookedMs: number
  #rotateAfterMs = 0
  /** Not under way yet. */
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
    this.#bornMs = this.#bornOf(this.#stat)
    this.#lookedMs = options.nowMs()
  }

  write(bytes: Uint8Array): number {
    if (this.#isEnding) return this.#writeNow(bytes)
    if (this.#bufferedBytes + bytes.length > mostBufferedBytes && this.#bufferedBytes > 0) {
      throw this.#failure ?? busy()
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

  /** Writes what is buffered, unless a write is under way. */
  #next(): void {
    if (this.#writing !== undefined || this.#bufferedBytes === 0 || this.#isEnding) return
    const bytes = this.#takeBuffered()
    this.#prepare(bytes.length)
    this.#write(bytes)
  }

  #takeBuffered(): Buffer {
    const bytes = this.#buffered.length === 1 ? this.#buffered[0]! : Buffer.concat(this.#buffered)
    this.#buffered = []
    this.#bufferedBytes = 0
    return bytes
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

  /** The bytes are kept, and written when it works again. */
  #failed(error: NodeJS.ErrnoException, bytes: Buffer): void {
    this.#failure = error
    this.#options.process.later(lookMs, () => {
      if (this.#isEnding) return
      this.#writing = undefined
      this.#buffered.unshift(bytes)
      this.#bufferedBytes += bytes.length
      this.#next()
    })
  }

  /** Sees to it that the right file is open for the next bytes. */
  #prepare(bytes: number): void {
    const nowMs = this.#options.nowMs()
    if (nowMs - this.#lookedMs >= lookMs || nowMs < this.#lookedMs) {
      this.#lookedMs = nowMs
      this.#follow()
    }
    const { maxBytes, maxAgeMs } = this.#options
    const isLarge = maxBytes > 0 && this.#sizeBytes > 0 && this.#sizeBytes + bytes > maxBytes
    const isOld = maxAgeMs > 0 && this.#sizeBytes > 0 && nowMs - this.#bornMs >= maxAgeMs
    if ((isLarge || isOld) && this.#stat.isFile() && nowMs >= this.#rotateAfterMs) {
      this.#rotate(nowMs)
    }
  }

  /** Somebody may have moved the file away: its name leads to the file that is written. */
  #follow(): void {
    try {
      const found = statSync(this.#options.path, { throwIfNoEntry: false })
      if (found?.ino === this.#stat.ino && found.dev === this.#stat.dev) return
      this.#reopen()
    } catch (error) {
      this.#trouble(`failed to open ${this.#options.path}`, error)
    }
  }

  #rotate(nowMs: number): void {
    const { path, keptFiles } = this.#options
    try {
      if (keptFiles === 0) rmSync(path, { force: true })
      else {
        rmSync(`${path}.${keptFiles}`, { force: true })
        for (let older = keptFiles; older > 0; older--) {
          renameIfThere(older === 1 ? path : `${path}.${older - 1}`, `${path}.${older}`)
        }
      }
      this.#reopen()
      this.#bornMs = nowMs
    } catch (error) {
      this.#rotateAfterMs = nowMs + rotationRetryMs
      this.#trouble(`failed to begin a new log file at ${path}, the old one is written on`, error)
    }
  }

  #reopen(): void {
    const fd = openSync(this.#options.path, flags, mode)
    const stat = fstatSync(fd)
    closeSync(this.#fd)
    this.#fd = fd
    this.#stat = stat
    this.#sizeBytes = stat.size
    this.#bornMs = this.#bornOf(stat)
  }

  /** Not every file system knows when a file was created. */
  #bornOf({ birthtimeMs, mtimeMs }: Stats): number {
    const nowMs = this.#options.nowMs()
    return Math.min(birthtimeMs > 0 ? birthtimeMs : mtimeMs, nowMs)
  }

  #trouble(what: string, error: unknown): void {
    this.#options.onTrouble?.(`${what}: ${(error as Error).message}`)
  }

  /** From now on nothing runs later: what waits is written at once, behind what is under way. */
  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#awaitWriting()
    if (this.#bufferedBytes === 0) return
    try {
      this.#writeNow(this.#takeBuffered())
    } catch {
      // Nowhere is left to say it.
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

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function busy(): NodeJS.ErrnoException {
  return Object.assign(new Error('the writes before are under way'), { code: 'EAGAIN' })
}
