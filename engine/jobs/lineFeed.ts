// Writes lines into a log file as a program on a host would: a given number a second, or as fast as
// they come. The demo's own source of input; nothing downstream knows that it exists.

import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { FeedBacklog } from './feedBacklog.ts'
import { RotatedLog, type Rotation } from './rotatedLog.ts'

/** Where lines come from. Each call gives whole lines, newline included; undefined at the end. */
export interface LineSource {
  /** At most `most` lines. */
  next(most: number): Promise<Lines | undefined>
}

export interface Lines {
  readonly bytes: Buffer
  readonly count: number
}

export interface LineFeedOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly source: LineSource
  /** Where to write. The file is created, or continued at its end. */
  readonly path: string
  /** Lines a second; Infinity for as fast as the disk takes them. */
  readonly ratePerSecond: number
  /** Bounds what is in the file; it grows for ever unless given. */
  readonly rotation?: Rotation
  /** The feed waits while this has no room. */
  readonly backlog?: FeedBacklog
}

const tickMs = 20
/** Lines a write at most, so that an unlimited feed still lets others run. */
const mostLinesAtOnce = 50_000

export class LineFeed {
  readonly #options: LineFeedOptions
  #stopped = false
  #wake: () => void = () => {}
  #timer: Timer | undefined
  #lines = 0

  constructor(options: LineFeedOptions) {
    this.#options = options
  }

  /** How many lines have been written so far. */
  get lines(): number {
    return this.#lines
  }

  /** Feeds until the source ends or `stop` is called; resolves with the lines written. */
  async run(): Promise<number> {
    const { disk, path, rotation } = this.#options
    const log = new RotatedLog(disk, path, rotation)
    await log.open()
    try {
      await this.#feed(log)
    } finally {
      await log.close()
    }
    return this.#lines
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#wake()
  }

  async #feed(log: RotatedLog): Promise<void> {
    const { clock, source, backlog } = this.#options
    const startMs = clock.monotonicMs()
    while (!this.#stopped) {
      const due = backlog?.hasRoom === false ? 0 : this.#due(startMs)
      if (due < 1) {
        await this.#pause()
        continue
      }
      const lines = await source.next(due)
      if (lines === undefined) return
      await log.append(lines.bytes)
      this.#lines += lines.count
      backlog?.wrote(lines.count, lines.bytes.length)
    }
  }

  /** How many lines the rate allows now. What a slow disk has missed is caught up. */
  #due(startMs: number): number {
    const { clock, ratePerSecond } = this.#options
    if (ratePerSecond === Number.POSITIVE_INFINITY) return mostLinesAtOnce
    const allowed = ((clock.monotonicMs() - startMs) / 1000) * ratePerSecond
    return Math.min(mostLinesAtOnce, Math.floor(allowed - this.#lines))
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#timer = this.#options.clock.setTimer(tickMs, resolve)
    })
  }
}
