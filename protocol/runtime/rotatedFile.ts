// A log file that does not grow without end. A new one begins before FILE would exceed its size, and once FILE
// is as old as it may become; the one before becomes FILE.1, that one FILE.2, and so on. When FILE is moved
// away or removed (by logrotate, or by another program that logs to it), another one is opened in its place
// within a second.
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
  /** Told why a new file could not begin, once until one does; the old one is written on. */
  readonly onTrouble?: (message: string) => void
}

/** A second of 10,000 lines that are logged while the program has no time to write them. */
const mostBufferedBytes = 4 * 1024 * 1024
const mostBytesAtOnce = 256 * 1024
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
  /** What fails at present and was told. */
  readonly #troubles = new Set<'open' | 'rotate'>()
  /** Not under way yet: whole lines, but for the first, which may be the rest of one. */
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

  /** Writes what is buffered, unless a write is under way. */
  #next(): void {
    if (this.#writing !== undefined || this.#bufferedBytes === 0 || this.#isEnding) return
    this.#prepare(this.#buffered[0]!.length)
    this.#write(this.#takeBuffered(this.#roomBytes()))
  }

  /** How much may be written at once: until a new file begins. */
  #roomBytes(): number {
    const { maxBytes } = this.#options
    if (maxBytes === 0 || !this.#stat.isFile()) return mostBytesAtOnce
    const room = maxBytes - this.#sizeBytes
    // A new file could not begin: the old one is written on, and not line by line.
    return room > 0 ? Math.min(mostBytesAtOnce, room) : mostBytesAtOnce
  }

  /** Lines of no more than so many bytes together; one at least. */
  #takeBuffered(mostBytes: number): Buffer {
    let count = 0
    let bytes = 0
    while (count < this.#buffered.length) {
      bytes += this.#buffered[count]!.length
      if (count > 0 && bytes > mostBytes) break
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
    if (!this.#isDue(bytes, nowMs) || nowMs < this.#rotateAfterMs) return
    // Another program may have begun the new file already.
    this.#follow()
    if (this.#isDue(bytes, nowMs)) this.#rotate(nowMs)
  }

  #isDue(bytes: number, nowMs: number): boolean {
    const { maxBytes, maxAgeMs } = this.#options
    if (this.#sizeBytes === 0 || !this.#stat.isFile()) return false
    const isLarge = maxBytes > 0 && this.#sizeBytes + bytes > maxBytes
    return isLarge || (maxAgeMs > 0 && nowMs - this.#bornMs >= maxAgeMs)
  }

  /** Somebody may have moved the file away: its name leads to the file that is written. Others may write it, too. */
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
        `failed to open ${this.#options.path}, the old file is written on`,
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
          renameIfThere(older === 1 ? path : `${path}.${older - 1}`, `${path}.${older}`)
        }
      }
      this.#reopen()
      this.#bornMs = nowMs
      this.#troubles.delete('rotate')
    } catch (error) {
      this.#rotateAfterMs = nowMs + rotationRetryMs
      const what = `failed to begin a new log file at ${path}, the old one is written on`
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
    this.#bornMs = this.#bornOf(stat)
  }

  /** Not every file system knows when a file was created. */
  #bornOf({ birthtimeMs, mtimeMs }: Stats): number {
    const nowMs = this.#options.nowMs()
    return Math.min(birthtimeMs > 0 ? birthtimeMs : mtimeMs, nowMs)
  }

  #trouble(kind: 'open' | 'rotate', what: string, error: unknown): void {
    if (this.#troubles.has(kind)) return
    this.#troubles.add(kind)
    this.#options.onTrouble?.(`${what}: ${(error as Error).message}`)
  }

  /** From now on nothing runs later: what waits is written at once, behind what is under way. */
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

/** Thrown for each line that is refused: without the stack of each. */
const busy = Object.assign(new Error('the writes before are under way'), { code: 'EAGAIN' })
