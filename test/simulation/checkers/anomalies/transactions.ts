// partial-transaction: a committed transaction of which one part took effect and another did not.
//
// Contract: its records in all partitions and its offsets become visible together, if at all. The
// part that is missing is proven to be missing: something behind it was read, everything was read
// (mark `caughtUp`), or the group was given an older offset (in committedOffsets.ts).

import type { AnomalyList } from '../anomaly.ts'
import { type Call, sendsOf } from '../calls.ts'
import type { Observations } from '../observations.ts'
import type { ObservedLog } from '../observedLog.ts'
import type { Send } from '../operations.ts'
import { furthestRead, hadToBeSeen, isNotExpected } from './logContents.ts'

export function checkTransactions(seen: Observations, found: AnomalyList): void {
  const furthest = new Map<ObservedLog, number>()
  for (const log of seen.logs.values()) furthest.set(log, furthestRead(log)?.index ?? -1)
  for (const call of seen.calls.all) {
    if (!call.isTransaction || call.outcome !== 'committed') continue
    const sends = sendsOf(call.operation)
    const shown = sends.find((send) => seen.log(send.partition).firstReaders.has(send.value))
    if (shown === undefined) continue
    const missing = sends.filter((send) => isMissing(seen, call, send, furthest))
    if (missing.length === 0) continue
    const reader = seen.log(shown.partition).firstReaders.get(shown.value)!
    found.add(
      'partial-transaction',
      false,
      [call.entry, reader.entry],
      () =>
        `of a transaction of ${call.process}, ${shown.value} in ${shown.partition} was read, but ` +
        `never ${missing.map((send) => `${send.value} in ${send.partition}`).join(', ')}`,
    )
  }
}

function isMissing(
  seen: Observations,
  call: Call,
  send: Send,
  furthest: ReadonlyMap<ObservedLog, number>,
): boolean {
  const log = seen.log(send.partition)
  if (log.firstReaders.has(send.value)) return false
  const index = log.firstIndexOf(send.value)
  if (index !== undefined && index <= furthest.get(log)! && !isNotExpected(seen, log, index))
    return true
  const caughtUpAt = seen.marks.get('caughtUp')
  if (caughtUpAt === undefined) return false
  if (index === undefined && log.logStartOffset + log.compactedTo > 0) return false
  return hadToBeSeen(seen, log, send.value, call, caughtUpAt)
}
