// Resource usage and event loop delay of this process, for telemetry/metrics/processMetrics.ts.
// Most figures are read on demand. The sampler of the event loop delay and the observer of garbage
// collections run all the time and cost 0.06 % of a core.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

type IntervalHistogram = ReturnType<typeof monitorEventLoopDelay>

/** The details of a performance entry of a garbage collection. */
interface CollectionEntry {
  readonly detail: { readonly kind: number }
}

export interface LoopDelay {
  readonly p50Seconds: number
  readonly p99Seconds: number
  readonly maxSeconds: number
}

export interface HeapFigures {
  readonly totalBytes: number
  readonly usedBytes: number
  readonly limitBytes: number
  /** Memory outside of the heap that is held by objects, mainly buffers. */
  readonly externalBytes: number
}

export type CollectionKind = 'major' | 'minor' | 'incremental' | 'weakcb'

export interface ProcessFigures {
  /** `v24.21.0` */
  readonly nodeVersion: string
  /** Start time of the process, in seconds since the epoch. */
  readonly startSeconds: number
  cpu(): { readonly userSeconds: number; readonly systemSeconds: number }
  residentBytes(): number
  heap(): HeapFigures
  /** Undefined where /proc is not available. */
  openFiles(): number | undefined
  /** Undefined where /proc is not available, and without a limit. */
  maxOpenFiles(): number | undefined
  /** Time for which the event loop was busy since the start. */
  loopActiveSeconds(): number
  /**
   * Delay since the last reset. Samples are reset at most every 10 s, so that several scrapers see
   * the same figures.
   */
  loopDelay(): LoopDelay
  /** Calls `listener` after each garbage collection. Returns a function that stops the calls. */
  onCollection(listener: (kind: CollectionKind, seconds: number) => void): () => void
  close(): void
}

/**
 * Interval of the delay sampler. With 10 ms, short delays would be seen more often, at the cost of
 * 0.5 % of a core in an idle process.
 */
const sampleMs = 100
const keptMs = 10_000

const collectionKinds = new Map<number, CollectionKind>([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

class NodeProcessFigures implements ProcessFigures {
  readonly nodeVersion = process.version
  readonly startSeconds = Date.now() / 1000 - process.uptime()
  readonly #maxOpenFiles = readMaxOpenFiles()
  readonly #delay: IntervalHistogram
  readonly #observers = new Set<PerformanceObserver>()
  #delaySinceMs = performance.now()

  constructor() {
    this.#delay = monitorEventLoopDelay({ resolution: sampleMs })
    this.#delay.enable()
  }

  cpu() {
    const { user, system } = process.cpuUsage()
    return { userSeconds: user / 1e6, systemSeconds: system / 1e6 }
  }

  residentBytes(): number {
    return process.memoryUsage.rss()
  }

  heap(): HeapFigures {
    const { heapTotal, heapUsed, external } = process.memoryUsage()
    const { heap_size_limit: limitBytes } = getHeapStatistics()
    return { totalBytes: heapTotal, usedBytes: heapUsed, limitBytes, externalBytes: external }
  }

  openFiles(): number | undefined {
    try {
      // Since Linux 6.2, the size of this directory is the number of open files; a listing is slow.
      const { size } = statSync('/proc/self/fd')
      return size > 0 ? size : readdirSync('/proc/self/fd').length
    } catch {
      return undefined
    }
  }

  maxOpenFiles(): number | undefined {
    return this.#maxOpenFiles
  }

  loopActiveSeconds(): number {
    return performance.eventLoopUtilization().active / 1000
  }

  loopDelay(): LoopDelay {
    const delay = this.#delay
    const figures = {
      p50Seconds: delaySeconds(delay, delay.percentile(50)),
      p99Seconds: delaySeconds(delay, delay.percentile(99)),
      maxSeconds: delaySeconds(delay, delay.max),
    }
    const nowMs = performance.now()
    if (nowMs - this.#delaySinceMs >= keptMs) {
      this.#delaySinceMs = nowMs
      delay.reset()
    }
    return figures
  }

  onCollection(listener: (kind: CollectionKind, seconds: number) => void): () => void {
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { detail } = entry as typeof entry & CollectionEntry
        const kind = collectionKinds.get(detail.kind)
        if (kind !== undefined) listener(kind, entry.duration / 1000)
      }
    })
    observer.observe({ entryTypes: ['gc'] })
    this.#observers.add(observer)
    return () => {
      observer.disconnect()
      this.#observers.delete(observer)
    }
  }

  close(): void {
    this.#delay.disable()
    for (const observer of this.#observers) observer.disconnect()
    this.#observers.clear()
  }
}

/** Converts an interval between two samples, in ns, to the delay of the event loop. */
function delaySeconds({ count }: IntervalHistogram, intervalNs: number): number {
  return count === 0 ? 0 : Math.max(0, intervalNs / 1e9 - sampleMs / 1000)
}

function readMaxOpenFiles(): number | undefined {
  try {
    const [, soft] =
      /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}

/** Returns the figures of this process. Must be closed. */
export function processFigures(): ProcessFigures {
  return new NodeProcessFigures()
}
