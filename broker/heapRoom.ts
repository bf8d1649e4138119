// Gives V8's heap room for what requests allocate. A broker keeps little in its heap (some 20 MB) and passes
// hundreds of megabytes a second through it: what sockets read, what is decompressed. V8 allows a small heap
// little garbage, and so collected all of it about 30 times a second, which took more than a third of the
// processor time of produce (docs/decisions/0019-records-are-validated.md).

import {
  constants,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
} from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** Garbage that a small heap may hold before a full collection begins. */
const mostRoomBytes = 128 * 1024 * 1024
/** Of the heap's limit, which V8 derives from the memory of the machine: a small one has less to spare. */
const roomShare = 1 / 16
/** Below this, what V8 chooses by itself (a third to three times what is live) is about as good. */
const leastPercent = 50
/** Right after a start the live memory may be a few megabytes, which says nothing about the load to come. */
const mostPercent = 1000

/**
 * V8's --heap-growing-percent for a heap of which `liveBytes` survive: by how much it may grow until the next
 * full collection. The room is a fixed amount, and never a multiple of a large heap; 0 leaves it to V8.
 */
export function heapGrowingPercent(liveBytes: number, limitBytes: number): number {
  const roomBytes = Math.min(mostRoomBytes, limitBytes * roomShare)
  const percent = Math.floor((100 * roomBytes) / Math.max(liveBytes, 1))
  return percent < leastPercent ? 0 : Math.min(percent, mostPercent)
}

/** Sets the room now, and again after each full collection: V8 applies it at the end of the next one. */
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
