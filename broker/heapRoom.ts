// Tunes V8's heap for the garbage of requests. A broker keeps little in its heap (about 20 MB) and
// passes hundreds of megabytes a second through it: bytes read from sockets, decompressed batches.
// V8 allows a small heap little garbage, so it ran a full collection about 30 times a second, at
// more than a third of the CPU time of produce (docs/decisions/0019-records-are-validated.md). Must
// never scale the garbage with a large heap.

import {
  constants,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
} from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** Garbage that a small heap may hold before a full collection starts. */
const mostRoomBytes = 128 * 1024 * 1024
/**
 * Part of the heap limit, which V8 derives from the memory of the machine: a small machine has less
 * to spare.
 */
const roomShare = 1 / 16
/** Below this, V8's own choice (a third to three times the live bytes) is about as good. */
const leastPercent = 50
/**
 * Upper bound: after the start only a few megabytes are live, which does not predict the load to
 * come.
 */
const mostPercent = 1000

/**
 * Returns V8's --heap-growing-percent for a heap with `liveBytes` after a collection: by how much
 * it may grow until the next full collection. The room is a fixed number of bytes, never a multiple
 * of a large heap; 0 leaves the choice to V8.
 */
export function heapGrowingPercent(liveBytes: number, limitBytes: number): number {
  const roomBytes = Math.min(mostRoomBytes, limitBytes * roomShare)
  const percent = Math.floor((100 * roomBytes) / Math.max(liveBytes, 1))
  return percent < leastPercent ? 0 : Math.min(percent, mostPercent)
}

/** Sets the growth now and after each full collection; V8 applies it at the end of the next one. */
export function giveHeapRoom(): void {
  let percent = 0
  const adjust = () => {
    const statistics = getHeapStatistics()
    const liveBytes = statistics.used_heap_size + statistics.external_memory
    const wanted = heapGrowingPercent(liveBytes, statistics.heap_size_limit)
    if (wanted === percent) return
    percent = wanted
    setFlagsFromString(`--heap-growing-percent=${percent}`)
  }
  adjust()
  const isFull = (entry: PerformanceEntry) => {
    const { detail } = entry as PerformanceEntry & { readonly detail: NodeGCPerformanceDetail }
    return detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
  }
  new PerformanceObserver((list) => {
    if (list.getEntries().some(isFull)) adjust()
  }).observe({ entryTypes: ['gc'] })
}
