// The cost of a read in reads of the segment file, which must not depend on the length of the log.
// Counted, because a measurement of time would not be exact.

import { describe, expect, test } from 'vitest'
import { defaultLogConfig } from '../../../../broker/log/logConfig.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { type CountingDisk, countingDisk } from '../../../bench/harness/countingDisk.ts'
import { append, diskWithData, makeBatch, openLog } from '../logFixture.ts'

const recordsPerBatch = 5
/** Space for some thousand batches of the smallest kind: the longest logs have many segments. */
const config = { ...defaultLogConfig, segmentBytes: 200_000, indexIntervalBytes: 1000 }

/** A log of this many batches, each with a value of `valueBytes` in every record. */
async function logOf(disk: Disk, batches: number, valueBytes: number): Promise<PartitionLog> {
  const log = await openLog(disk, { config })
  const label = 'x'.repeat(valueBytes)
  for (let batch = 0; batch < batches; batch++) {
    await append(log, makeBatch({ records: recordsPerBatch, label }))
  }
  return log
}

/** The largest number of file reads for a read at one of 200 random offsets. */
async function mostReads(log: PartitionLog, disk: CountingDisk, maxBytes: number): Promise<number> {
  const random = seededRandom(11)
  let most = 0
  for (let count = 0; count < 200; count++) {
    const offset = random.below(log.highWatermark)
    disk.reads = 0
    const { bytes } = await log.read(offset, maxBytes)
    most = Math.max(most, disk.reads)
    const [first] = splitBatches(bytes)
    expect(first!.baseOffset).toBe(offset - (offset % recordsPerBatch))
  }
  return most
}

describe.each([
  { what: 'much smaller than an index interval', valueBytes: 10, maxBytes: 400, reads: 1 },
  { what: 'a little larger than an index interval', valueBytes: 220, maxBytes: 1200, reads: 1 },
  { what: 'too large to be read past', valueBytes: 15_000, maxBytes: 80_000, reads: 3 },
])('with batches $what', ({ valueBytes, maxBytes, reads }) => {
  test.each([10, 100, 1000])(
    'a read at any offset of %i batches takes the same number of reads',
    async (batches) => {
      const disk = countingDisk(await diskWithData())
      const log = await logOf(disk, batches, valueBytes)
      // Indexes of sealed segments are read once, not each time.
      for (let offset = 0; offset < log.highWatermark; offset += 5) await log.read(offset, 1)
      expect(await mostReads(log, disk, maxBytes)).toBe(reads)
      await log.close()
    },
  )
})
