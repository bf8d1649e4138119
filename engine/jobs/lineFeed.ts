// Writes lines to a log file as a program on a host would, at a given rate or as fast as possible.
// The demo's source of input; nothing downstream knows about it.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import type { FeedBacklog } from './feedBacklog.ts'
import { RotatedLog, type Rotation } from './rotatedLog.ts'

/** A source of lines. Each call returns whole lines, including newlines; undefined at the end. */
export interface LineSource {
  /** Returns at most `most` lines. */
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
  /** Path of the file, which is created, or appended to. */
  readonly path: string
  /** Lines per second; Infinity for as fast as the disk allows. */
  readonly ratePerSecond: number
  /** Limits the size of the file; unlimited by default. */
  readonly rotation?: Rotation
  /** The feed pauses while this is full. */
  readonly backlog?: FeedBacklog
}

const tickMs = 20
/** Maximum lines per write, so that an unlimited feed yields to others. */
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

  /** Number of lines written so far. */
  get lines(): number {
    return this.#lines
  }

  /** Feeds until the source ends or `stop` is called; resolves with the number of lines written. */
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

  /** Number of lines that the rate allows now. A delay by a slow disk is made up. */
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
