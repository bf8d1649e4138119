// One bit of a file is flipped: wherever it is, readers get only bytes that were appended.
// Readers get the sound batches before the damage, then an error with its position; the log accepts
// no more writes, and other logs are not affected.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defaultLogConfig } from '../../../../broker/log/logConfig.ts'
import { LogError } from '../../../../broker/log/logError.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { believedForMs } from '../../../../broker/log/segment/checkedRange.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { append, diskWithData, makeBatch, openLog, stored } from '../logFixture.ts'

const runs = 150

interface BatchPlan {
  readonly records: number
  readonly valueBytes: number
  /** Offsets that are in no batch before this one, as after compaction. */
  readonly gap: number
  readonly rolls: boolean
}

interface Written {
  readonly path: string
  readonly position: number
  readonly baseOffset: number
  readonly nextOffset: number
  readonly bytes: Buffer
}

const batchPlan = fc.record({
  records: fc.integer({ min: 1, max: 6 }),
  valueBytes: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 900 })),
  gap: fc.constant(0),
  rolls: fc.boolean(),
})

const gappedPlan = batchPlan.chain((plan) =>
  fc.integer({ min: 0, max: 3 }).map((gap) => ({ ...plan, gap })),
)

const damage = fc.record({
  batch: fc.nat(),
  /** Half of them in the header, where most kinds of damage are possible. */
  byte: fc.oneof(fc.nat({ max: 60 }), fc.nat()),
  bit: fc.nat({ max: 7 }),
  maxBytes: fc.constantFrom(1, 100, 700, 100_000),
  indexIntervalBytes: fc.constantFrom(1, 200, 4096),
  /** Whether the log remembers the positions to continue at, or only its indexes have them. */
  wasReadBefore: fc.boolean(),
})

async function write(log: PartitionLog, plans: readonly BatchPlan[]): Promise<Written[]> {
  const written: Written[] = []
  let offset = 0
  let path = segmentPath(0)
  let position = 0
  for (const [number, { records, valueBytes, gap, rolls }] of plans.entries()) {
    if (rolls && position > 0) {
      await log.roll()
      path = segmentPath(offset)
      position = 0
    }
    const baseOffset = offset + gap
    const label = `${number}/`.padEnd(valueBytes, 'x')
    const bytes = stored(makeBatch({ records, label }), baseOffset)
    const { errorCode } = await log.appendAsFollower(Buffer.from(bytes))
    expect(errorCode).toBe(ErrorCode.none)
    offset = baseOffset + records
    written.push({ path, position, baseOffset, nextOffset: offset, bytes })
    position += bytes.length
  }
  return written
}

function segmentPath(baseOffset: number): string {
  return `/data/orders-0/${String(baseOffset).padStart(20, '0')}.log`
}

async function flipBit(disk: MemoryDisk, path: string, at: number, bit: number): Promise<void> {
  const file = await disk.open(path, 'write')
  const byte = Buffer.alloc(1)
  await file.read(byte, at)
  byte[0]! ^= 1 << bit
  await file.write([byte], at)
  await file.close()
}

/**
 * The bytes that a consumer gets that reads from `offset` as far as possible, and the error that
 * ends it.
 */
async function readOn(log: PartitionLog, offset: number, maxBytes: number) {
  const parts: Buffer[] = []
  while (offset < log.highWatermark) {
    try {
      const { bytes, errorCode } = await log.read(offset, maxBytes)
      expect(errorCode).toBe(ErrorCode.none)
      // Otherwise it would request the same offset again and again.
      expect(bytes.length).toBeGreaterThan(0)
      parts.push(bytes)
      for (const batch of splitBatches(bytes)) offset = batch.nextOffset
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      return { bytes: Buffer.concat(parts), error }
    }
  }
  return { bytes: Buffer.concat(parts), error: undefined }
}

function bytesFrom(written: readonly Written[], offset: number): Buffer {
  return Buffer.concat(
    written.filter(({ nextOffset }) => nextOffset > offset).map(({ bytes }) => bytes),
  )
}

interface Damage {
  readonly batch: number
  readonly byte: number
  readonly bit: number
  readonly maxBytes: number
  readonly indexIntervalBytes: number
  readonly wasReadBefore: boolean
}

async function readsNothingWrong(
  plans: readonly BatchPlan[],
  damage: Damage,
  firstByte: number,
): Promise<void> {
  const { bit, maxBytes, indexIntervalBytes, wasReadBefore } = damage
  const disk = await diskWithData()
  const config = { ...defaultLogConfig, indexIntervalBytes }
  const clock = new ManualClock()
  const log = await openLog(disk, { config, clock })
  const other = await openLog(disk, { config, directory: '/data/other-0' })
  const written = await write(log, plans)
  if (wasReadBefore) await readOn(log, 0, maxBytes)
  const hit = written[damage.batch % written.length]!
  const byte = firstByte + (damage.byte % (hit.bytes.length - firstByte))
  await flipBit(disk, hit.path, hit.position + byte, bit)
  // Until no range counts as verified because of its append.
  clock.advance(believedForMs)

  for (let offset = 0; offset < log.highWatermark; offset++) {
    const { bytes, error } = await readOn(log, offset, maxBytes)
    const appended = bytesFrom(written, offset)
    expect(bytes.equals(appended.subarray(0, bytes.length))).toBe(true)
    if (offset >= hit.nextOffset && !error) expect(bytes.length).toBe(appended.length)
    if (offset >= hit.nextOffset && !error) continue
    expect(error).toMatchObject({ code: 'LOG_CORRUPT' })
    expect(error!.message).toContain(`${hit.path} is damaged at byte ${hit.position}:`)
    const sound = bytesFrom(written, offset).length - bytesFrom(written, hit.baseOffset).length
    if (offset <= hit.baseOffset) expect(bytes.length).toBe(Math.max(0, sound))
  }
  expect(log.offline?.message).toContain(`${hit.path} is damaged at byte ${hit.position}:`)
  const refused = await append(log, { records: 1 })
  expect(refused.errorCode).toBe(ErrorCode.kafkaStorageError)
  expect(refused.errorMessage).toContain(`${hit.path} is damaged`)
  expect((await append(other, { records: 1 })).errorCode).toBe(ErrorCode.none)
  expect(other.offline).toBeUndefined()
  await log.close()
  await other.close()
}

test('no flipped bit is returned to a reader', async () => {
  const plans = fc.array(batchPlan, { minLength: 1, maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(plans, damage, (all, where) => readsNothingWrong(all, where, 0)),
    { numRuns: runs },
  )
})

test('no flipped bit is returned near missing offsets, unless it gives another offset of the gap', async () => {
  const plans = fc.array(gappedPlan, { minLength: 1, maxLength: 10 })
  // A log does not store which of the offsets in a gap a batch had.
  const firstByte = 8
  await fc.assert(
    fc.asyncProperty(plans, damage, (all, where) => readsNothingWrong(all, where, firstByte)),
    { numRuns: runs },
  )
})
