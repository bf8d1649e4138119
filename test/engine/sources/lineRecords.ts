// Records for tests of scanners: lines in memory, at the offsets of a range.

import { HeldRecord } from '../../../engine/sources/heldRecord.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'

/** Returns one record for each line, from the range's first offset on. */
export function lineRecords(range: OffsetRange, lines: readonly string[]): HeldRecord[] {
  const { topic, partition, from } = range
  return lines.map(
    (line, at) => new HeldRecord({ topic, partition, offset: from + at, value: Buffer.from(line) }),
  )
}

/** A record for formats that do not read it. */
export const anyRecord = new HeldRecord({ topic: 't', partition: 0, offset: 0, value: null })
