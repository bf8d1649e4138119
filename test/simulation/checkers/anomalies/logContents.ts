// Anomalies of what a log holds: inconsistent-offsets, duplicate, lost-write, unseen.
//
// Contract: as Jepsen defines them, except that what retention or compaction may have removed is
// not expected, and that `unseen` is allowed in a history that does not say that everything was
// read (mark `caughtUp`).

import type { AnomalyList } from '../anomaly.ts'
import type { Call } from '../calls.ts'
import type { HistoryEntry } from '../history.ts'
import type { Observations } from '../observations.ts'
import type { ObservedLog } from '../observedLog.ts'
import type { Value } from '../value.ts'

export function checkLogContents(seen: Observations, found: AnomalyList): void {
  for (const log of seen.logs.values()) {
    checkConflicts(log, found)
    checkDuplicates(seen, log, found)
    checkLostWrites(seen, log, found)
    checkUnseen(seen, log, found)
  }
}

function checkConflicts(log: ObservedLog, found: AnomalyList): void {
  for (const [offset, values] of log.conflicts)
    found.add(
      'inconsistent-offsets',
      false,
      [...values].flatMap((value) => witnesses(log, value)),
      () => `offset ${offset} of ${log.name} was seen with the values ${[...values].join(' and ')}`,
    )
}

/** A producer without sequence numbers that sends again cannot know that it was heard before. */
function checkDuplicates(seen: Observations, log: ObservedLog, found: AnomalyList): void {
  for (const [value, indexes] of log.duplicates) {
    const writer = log.writers.get(value)
    const isAllowed =
      seen.options.delivery === 'at-least-once' && writer !== undefined && !writer.isTransaction
    const offsets = indexes.map((index) => log.offsets[index])
    found.add(
      'duplicate',
      isAllowed,
      witnesses(log, value),
      () => `${log.name} has the value ${value} at the offsets ${offsets.join(', ')}`,
    )
  }
}

/** The send of a value and its first reader, as far as they are known. */
function witnesses(log: ObservedLog, value: Value): HistoryEntry[] {
  return [log.writers.get(value), log.firstReaders.get(value)]
    .filter((call) => call !== undefined)
    .map((call) => call.entry)
}

/**
 * A committed value that nobody read although something behind it was read. What was read counts at
 * the first of its offsets, so that duplicates accuse nobody falsely.
 */
function checkLostWrites(seen: Observations, log: ObservedLog, found: AnomalyList): void {
  const furthest = furthestRead(log)
  if (furthest === undefined) return
  for (const [value, index] of log.firstIndexes) {
    if (log.firstReaders.has(value)) continue
    // Without a reader, the order has a value from its send, which therefore is committed.
    const writer = log.writers.get(value)!
    if (index > furthest.index || isNotExpected(seen, log, index)) continue
    found.add(
      'lost-write',
      false,
      [writer.entry, furthest.reader.entry],
      () =>
        `${value} was committed to ${log.name} at offset ${log.offsets[index]}, but nobody read ` +
        `it, although ${furthest.value} at offset ${log.offsets[furthest.index]} was read`,
    )
  }
}

interface FurthestRead {
  readonly index: number
  readonly value: Value
  readonly reader: Call
}

export function furthestRead(log: ObservedLog): FurthestRead | undefined {
  let furthest: FurthestRead | undefined
  for (const [value, reader] of log.firstReaders) {
    const index = log.firstIndexOf(value)!
    if (furthest === undefined || index > furthest.index) furthest = { index, value, reader }
  }
  return furthest
}

/** Whether no reader had to see what lies at the index. */
export function isNotExpected(seen: Observations, log: ObservedLog, index: number): boolean {
  const offset = log.offsets[index]!
  if (log.mayBeGone(offset)) return true
  return seen.options.readsFrom === 'anywhere' && offset < log.lowestPolled
}

function checkUnseen(seen: Observations, log: ObservedLog, found: AnomalyList): void {
  const caughtUpAt = seen.marks.get('caughtUp')
  const unseen: Value[] = []
  const evidence: HistoryEntry[] = []
  for (const [value, writer] of log.writers) {
    if (log.firstReaders.has(value) || !hadToBeSeen(seen, log, value, writer, caughtUpAt)) continue
    unseen.push(value)
    if (evidence.length < mostEvidence) evidence.push(writer.entry)
  }
  if (unseen.length === 0) return
  const isAllowed = caughtUpAt === undefined || mayHaveBeenRemovedUnseen(seen, log)
  found.add('unseen', isAllowed, evidence, () => {
    const some = unseen.slice(0, mostEvidence).join(', ')
    return `${unseen.length} values were committed to ${log.name} and never polled: ${some}`
  })
}

const mostEvidence = 10

/** Whether a value whose offset nobody knows may have been removed, or lie before all reads. */
function mayHaveBeenRemovedUnseen(seen: Observations, log: ObservedLog): boolean {
  return log.logStartOffset > 0 || log.compactedTo > 0 || seen.options.readsFrom === 'anywhere'
}

export function hadToBeSeen(
  seen: Observations,
  log: ObservedLog,
  value: Value,
  writer: Call,
  caughtUpAt: number | undefined,
): boolean {
  if (writer.outcome !== 'committed') return false
  if (writer.committedAt > (caughtUpAt ?? Number.POSITIVE_INFINITY)) return false
  const index = log.firstIndexOf(value)
  return index === undefined || !isNotExpected(seen, log, index)
}
