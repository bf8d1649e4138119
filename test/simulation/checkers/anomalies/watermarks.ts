// Anomalies of what a process sees of the state of a log: nonmonotonic-high-watermark,
// nonmonotonic-last-stable-offset, nonmonotonic-log-start-offset, watermark-order.
//
// Contract: what one process saw never goes back, and log start offset <= last stable offset <=
// high watermark in each observation. A process that crashed starts anew.

import type { AnomalyList, AnomalyName } from '../anomaly.ts'
import type { Call } from '../calls.ts'
import type { Observations } from '../observations.ts'
import type { Watermarks } from '../operations.ts'
import type { PartitionName } from '../value.ts'

const rising = [
  ['highWatermark', 'nonmonotonic-high-watermark', 'high watermark'],
  ['lastStableOffset', 'nonmonotonic-last-stable-offset', 'last stable offset'],
  ['logStartOffset', 'nonmonotonic-log-start-offset', 'log start offset'],
] as const satisfies readonly (readonly [keyof Watermarks, AnomalyName, string])[]

type Mark = (typeof rising)[number][0]

/** The highest that a process saw of each mark of a partition, and where. */
type Highest = Partial<Record<Mark, { readonly offset: number; readonly call: Call }>>

export function checkWatermarks(seen: Observations, found: AnomalyList): void {
  const processes = new Map<string, Map<PartitionName, Highest>>()
  for (const call of seen.calls.completed) {
    const operation = call.operation
    if (operation.kind === 'crash') processes.delete(call.process)
    if (operation.kind !== 'watermarks') continue
    const highest = processes.get(call.process) ?? new Map<PartitionName, Highest>()
    processes.set(call.process, highest)
    for (const [name, marks] of Object.entries(operation.partitions)) {
      checkOrder(found, call, name, marks)
      const known = highest.get(name) ?? {}
      highest.set(name, known)
      checkRise(found, call, name, marks, known)
    }
  }
}

function checkRise(
  found: AnomalyList,
  call: Call,
  partition: PartitionName,
  marks: Watermarks,
  highest: Highest,
): void {
  for (const [mark, name, words] of rising) {
    const offset = marks[mark]
    if (offset === undefined) continue
    const before = highest[mark]
    if (before === undefined || offset >= before.offset) {
      highest[mark] = { offset, call }
      continue
    }
    found.add(
      name,
      false,
      [before.call.entry, call.entry],
      () =>
        `${call.process} saw the ${words} of ${partition} go back from ${before.offset} to ${offset}`,
    )
  }
}

function checkOrder(
  found: AnomalyList,
  call: Call,
  partition: PartitionName,
  marks: Watermarks,
): void {
  const { logStartOffset = 0, highWatermark = Number.POSITIVE_INFINITY } = marks
  const { lastStableOffset = Math.max(logStartOffset, 0) } = marks
  if (logStartOffset <= lastStableOffset && lastStableOffset <= highWatermark) return
  found.add(
    'watermark-order',
    false,
    [call.entry],
    () =>
      `${call.process} saw ${partition} with log start offset ${marks.logStartOffset}, last stable ` +
      `offset ${marks.lastStableOffset} and high watermark ${marks.highWatermark}`,
  )
}
