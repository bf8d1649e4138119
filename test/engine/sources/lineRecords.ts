// Records for scanners of tests: lines in memory, at the offsets of a range.

import { HeldRecord } from '../../../engine/sources/heldRecord.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'

/** One for each line, from the range's first offset on. */
export function lineRecords(range: OffsetRange, lines: readonly string[]): HeldRecord[] {
  const { topic, partition, from } = range
  return lines.map(
    (line, at) => new HeldRecord({ topic, partition, offset: from + at, value: Buffer.from(line) }),
  )
}

/** For formats that do not look at the record. */
export const anyRecord = new HeldRecord({ topic: 't', partition: 0, offset: 0, value: null })
