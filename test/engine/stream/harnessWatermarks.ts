// Watermarks as the rule says it, from everything that has been reported: no state is kept between batches,
// so there is none that could be wrong.

import type { WatermarkSpec } from '../../../engine/contract/statefulOperator.ts'
import type { EventTime } from '../../../engine/executor/task.ts'
import type { BatchInfo } from '../../../engine/stream/batchHistory.ts'

/** Of the batch after `batches`, every one of which has read its partitions to their ends. */
export function harnessWatermarks(
  specs: readonly WatermarkSpec[],
  batches: readonly BatchInfo[],
  eventTimes: readonly (readonly EventTime[])[],
  partitions: number,
): Record<string, number> {
  const watermarks: Record<string, number> = {}
  for (const spec of specs) {
    let latest = -Infinity
    for (let until = 1; until <= batches.length; until++) {
      const reached = after(spec, batches.slice(0, until), eventTimes, partitions)
      latest = Math.max(latest, reached ?? -Infinity)
    }
    if (latest > -Infinity) watermarks[spec.uid] = latest
  }
  return watermarks
}

/** What these batches have reached; undefined when a partition that is not idle has given no time. */
function after(
  { uid, delayMs, idleTimeoutMs, topics }: WatermarkSpec,
  batches: readonly BatchInfo[],
  eventTimes: readonly (readonly EventTime[])[],
  partitions: number,
): number | undefined {
  const now = batches.at(-1)!.timeMs
  let smallest: number | undefined
  for (const topic of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      const source = `${topic}-${partition}`
      let readMs = batches[0]!.timeMs
      let largest: number | undefined
      for (const { batchId, timeMs, ranges } of batches) {
        const range = ranges.find((each) => each.topic === topic && each.partition === partition)
        if (range && range.until > range.from) readMs = timeMs
        for (const seen of eventTimes[batchId] ?? []) {
          if (seen.watermark !== uid || seen.source !== source) continue
          largest = Math.max(largest ?? -Infinity, seen.timeMs)
        }
      }
      if (now - readMs >= idleTimeoutMs) continue
      if (largest === undefined) return undefined
      smallest = Math.min(smallest ?? Infinity, largest - delayMs)
    }
  }
  return smallest
}
