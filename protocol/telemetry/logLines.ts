// The last step of a log line: it is written at once, or waits in a bounded backlog until it can be.
// Invariant: `write` neither throws nor waits, whatever the system answers; a line that finds the
// backlog full is counted, and the count is logged when writing works again.

import type { LogOutput } from '../runtime/standardStreams.ts'
import type { MetricSpec } from './metricSpec.ts'
import type { Metrics } from './metrics.ts'

export interface LogLinesOptions {
  readonly output: LogOutput
  /** The line that says how many lines were lost, and by which error. */
  readonly lostLine: (count: number, reason: string) => string
  /** Most bytes that wait; one line alone may be larger. */
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
  /** Whole lines, but for the first, which may be the rest of one. */
  readonly #pending: Buffer[] = []
  #pendingBytes = 0
  /** Lost and not yet reported in the log. */
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

  /** Bytes that wait until writing works again. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** `line` ends with its newline. */
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

  /** Writes what waits, and then how many lines were lost meanwhile. */
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

  /** A line that says why a process ends is worth a short wait for a reader that is only slow. */
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
  help: 'Log lines that could not be written to standard error or to the log file.',
} as const satisfies MetricSpec

/** Counts lost lines in `millrace_log_lines_lost_total`. Returns what ends that. */
export function exposeLostLines(metrics: Metrics, lines: Pick<LogLines, 'lostTotal'>): () => void {
  const counter = metrics.counter(lostLinesMetric)
  let exposed = 0
  return metrics.onExpose(() => {
    const { lostTotal } = lines
    counter.inc(lostTotal - exposed)
    exposed = lostTotal
  })
}
