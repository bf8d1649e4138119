// The output of log lines: a line is written at once, or kept in a bounded backlog until it can be.
// Invariant: `write` neither throws nor blocks, whatever the system returns; lines that exceed the
// backlog are counted, and their number is logged when writing works again.

import type { LogOutput } from '../../runtime/process/standardStreams.ts'
import type { MetricSpec } from '../metrics/metricSpec.ts'
import type { Metrics } from '../metrics/metrics.ts'

export interface LogLinesOptions {
  readonly output: LogOutput
  /** Returns the line that reports the number of lost lines and the error. */
  readonly lostLine: (count: number, reason: string) => string
  /** Maximum size of the backlog; a single line may be larger. */
  readonly maxPendingBytes?: number
}

const usualMaxPendingBytes = 256 * 1024
const retryMs = 200
/** How long the end of the process may wait for a slow reader of its last lines. */
const endWaitMs = 500
const endPauseMs = 10

export class LogLines {
  readonly #output: LogOutput
  readonly #lostLine: (count: number, reason: string) => string
  readonly #maxPendingBytes: number
  /** Whole lines, except the first, which may be the rest of one. */
  readonly #pending: Buffer[] = []
  #pendingBytes = 0
  /** Lost lines that are not yet reported in the log. */
  #unreported = 0
  #lostTotal = 0
  #reason = ''
  #willRetry = false

  constructor(options: LogLinesOptions) {
    this.#output = options.output
    this.#lostLine = options.lostLine
    this.#maxPendingBytes = options.maxPendingBytes ?? usualMaxPendingBytes
    this.#output.atEnd(() => this.#end())
  }

  /** Lines lost since the start. */
  get lostTotal(): number {
    return this.#lostTotal
  }

  /** Bytes in the backlog. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Writes a line, which must end with a newline. */
  write(line: string): void {
    this.#flush()
    const bytes = Buffer.from(line)
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes.length > this.#maxPendingBytes) {
      this.#unreported++
      this.#lostTotal++
      return
    }
    this.#push(bytes)
    this.#flush()
  }

  /** Writes the backlog, then the number of lines lost meanwhile. */
  #flush(): void {
    this.#writePending()
    if (this.#pendingBytes > 0 || this.#unreported === 0) return
    const count = this.#unreported
    this.#unreported = 0
    this.#push(Buffer.from(this.#lostLine(count, this.#reason)))
    this.#writePending()
  }

  #push(bytes: Buffer): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
  }

  #writePending(): void {
    while (this.#pending.length > 0) {
      const first = this.#pending[0]!
      const written = this.#tryWrite(first)
      if (written === 0) {
        this.#retryLater()
        return
      }
      this.#pendingBytes -= written
      if (written < first.length) this.#pending[0] = first.subarray(written)
      else this.#pending.shift()
    }
  }

  #tryWrite(bytes: Buffer): number {
    try {
      return this.#output.write(bytes)
    } catch (error) {
      this.#reason = (error as NodeJS.ErrnoException).code ?? String(error)
      return 0
    }
  }

  #retryLater(): void {
    if (this.#willRetry) return
    this.#willRetry = true
    this.#output.later(retryMs, () => {
      this.#willRetry = false
      this.#flush()
    })
  }

  /** A line that says why a process ends is worth a short wait for a slow reader. */
  #end(): void {
    for (let waitedMs = 0; waitedMs <= endWaitMs; waitedMs += endPauseMs) {
      this.#flush()
      if (this.#pendingBytes === 0 || this.#reason !== 'EAGAIN') return
      this.#output.pause(endPauseMs)
    }
  }
}

export const lostLinesMetric = {
  name: 'millrace_log_lines_lost_total',
  type: 'counter',
  help: 'Log lines lost because standard error or the log file could not be written.',
} as const satisfies MetricSpec

/**
 * Counts lost lines in `millrace_log_lines_lost_total`. Returns a function that removes the metric.
 */
export function exposeLostLines(metrics: Metrics, lines: Pick<LogLines, 'lostTotal'>): () => void {
  const counter = metrics.counter(lostLinesMetric)
  let exposed = 0
  return metrics.onExpose(() => {
    const { lostTotal } = lines
    counter.inc(lostTotal - exposed)
    exposed = lostTotal
  })
}
