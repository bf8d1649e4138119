// Anomalies of what a reader was shown that it must not see: G1a, precommitted-read, phantom.
//
// Contract: with read_committed nobody is shown a value before its transaction is committed, nor
// ever one of an aborted transaction; with read_uncommitted both are allowed. A send outside of a
// transaction that certainly failed is never shown.

import type { AnomalyList } from '../anomaly.ts'
import { type Call, pollsOf } from '../calls.ts'
import type { Observations } from '../observations.ts'
import type { ObservedLog } from '../observedLog.ts'
import type { Value } from '../value.ts'

export function checkVisibility(seen: Observations, found: AnomalyList): void {
  for (const reader of seen.calls.completed)
    for (const poll of pollsOf(reader.operation))
      for (const name in poll.records) {
        const log = seen.log(name)
        for (const [, value] of poll.records[name]!) checkRead(seen, found, log, value, reader)
      }
}

function checkRead(
  seen: Observations,
  found: AnomalyList,
  log: ObservedLog,
  value: Value,
  reader: Call,
): void {
  const writer = log.writers.get(value)
  const seesUncommitted = seen.options.isolation === 'read_uncommitted'
  if (writer === undefined)
    found.add(
      'phantom',
      false,
      [reader.entry],
      () => `${reader.process} polled ${value} from ${log.name}, which nobody sent`,
    )
  else if (writer.outcome === 'aborted')
    found.add(
      'G1a',
      seesUncommitted && writer.isTransaction,
      [writer.entry, reader.entry],
      () =>
        `${reader.process} polled ${value} from ${log.name}, the send of which ` +
        `${writer.isTransaction ? 'was aborted' : 'failed'} (${writer.process})`,
    )
  else if (isTooEarly(writer, reader))
    found.add(
      'precommitted-read',
      seesUncommitted,
      writer === reader ? [writer.entry] : [writer.entry, reader.entry],
      () =>
        `${reader.process} polled ${value} from ${log.name} before its transaction was committed`,
    )
}

/** The reader is the transaction itself, or was answered before the writer asked for the commit. */
function isTooEarly(writer: Call, reader: Call): boolean {
  if (writer === reader) return writer.isTransaction
  const operation = writer.operation
  if (operation.kind !== 'txn' || operation.endTimeMs === undefined) return false
  return reader.entry.timeMs < operation.endTimeMs
}
