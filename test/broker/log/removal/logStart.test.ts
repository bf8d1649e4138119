// Deletion at the start of a log: on request, by age and by size. Deleted records do not return
// after a crash, and reads in progress get the bytes they started with.

import { describe, expect, test } from 'vitest'
import type { LogConfig } from '../../../../broker/log/logConfig.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import type { PartitionLogOptions } from '../../../../broker/log/partitionLogOptions.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import {
  append,
  diskWithData,
  makeBatch,
  openLog,
  openReplica,
  readValues,
  smallConfig,
} from '../logFixture.ts'
import { mortalDisk } from '../mortalDisk.ts'

const directory = '/data/orders-0'

/** Keeps the log start offset like the checkpoint file of a LogManager. */
class Start {
  saved = 0
  #log: PartitionLog | undefined

  async open(disk: Disk, options: Partial<PartitionLogOptions> = {}): Promise<PartitionLog> {
    this.#log = await openLog(disk, {
      logStartOffset: this.saved,
      saveLogStartOffset: async () => {
        this.saved = this.#log!.logStartOffset
      },
      ...options,
    })
    return this.#log
  }
}

/** Segments of two batches of one record each: a log of `records` records. */
async function fill(log: PartitionLog, records: number, timestampMs?: number): Promise<void> {
  for (let number = 0; number < records; number++) {
    if (number > 0 && number % 2 === 0) await log.roll()
    const stamp = timestampMs === undefined ? {} : { timestampMs }
    await append(log, { records: 1, label: `r${number}`, ...stamp })
  }
}

async function logFiles(disk: MemoryDisk): Promise<string[]> {
  return (await disk.list(directory)).filter((name) => name.includes('.log'))
}

function config(change: Partial<LogConfig>): LogConfig {
  return { ...smallConfig, ...change }
}

describe('deleting records', () => {
  test('moves the start to any offset, and removes whole segments below it', async () => {
    const disk = await diskWithData()
    const clock = new ManualClock()
    const log = await new Start().open(disk, { clock })
    await fill(log, 6)
    expect(await log.deleteRecordsBefore(3)).toEqual({ errorCode: 0, lowWatermark: 3 })
    expect(log.logStartOffset).toBe(3)
    expect(log.segmentCount).toBe(2)
    expect((await log.read(2, 1000)).errorCode).toBe(ErrorCode.offsetOutOfRange)
    expect(await readValues(log)).toEqual(['r3/0', 'r4/0', 'r5/0'])
    expect(await log.deleteRecordsBefore(1)).toEqual({ errorCode: 0, lowWatermark: 3 })
    expect(await log.deleteRecordsBefore(-1)).toEqual({ errorCode: 0, lowWatermark: 6 })
    expect((await append(log, { records: 1, label: 'after' })).logStartOffset).toBe(6)
    expect(await readValues(log)).toEqual(['after/0'])
    await log.close()
  })

  test('refuses offsets above the high watermark', async () => {
    const log = await openReplica(await diskWithData())
    await fill(log, 4)
    log.advanceHighWatermark(2)
    for (const offset of [3, -2]) {
      expect(await log.deleteRecordsBefore(offset)).toEqual({
        errorCode: ErrorCode.offsetOutOfRange,
        lowWatermark: -1,
      })
    }
    await log.close()
  })

  test('survives a crash, in the middle of a batch and of a segment', async () => {
    const disk = await diskWithData()
    const start = new Start()
    const log = await start.open(disk)
    await append(log, { records: 4, label: 'a' })
    await append(log, { records: 4, label: 'b' })
    await log.deleteRecordsBefore(6)
    disk.crash()
    const again = await start.open(disk)
    expect(again.logStartOffset).toBe(6)
    expect(again.logEndOffset).toBe(8)
    expect((await again.read(5, 1000)).errorCode).toBe(ErrorCode.offsetOutOfRange)
    const { length } = makeBatch({ records: 4, label: 'b' })
    expect((await again.read(6, 1000)).bytes).toHaveLength(length)
    await again.close()
  })

  test('is not answered before it is durable, and fails with the disk', async () => {
    const failing = async () => {
      throw new Error('EIO')
    }
    const log = await openLog(await diskWithData(), { saveLogStartOffset: failing })
    await fill(log, 4)
    expect((await log.deleteRecordsBefore(3)).errorCode).toBe(ErrorCode.kafkaStorageError)
    await log.close()
  })

  test('keeps the epoch and the producers of the deleted records', async () => {
    const disk = await diskWithData()
    const start = new Start()
    const log = await start.open(disk)
    const batch = { records: 1, producerId: 9, producerEpoch: 0 }
    await append(log, makeBatch({ ...batch, baseSequence: 0 }), 3)
    await log.roll()
    await append(log, makeBatch({ ...batch, baseSequence: 1 }), 5)
    await log.roll()
    await append(log, { records: 1 }, 5)
    await log.deleteRecordsBefore(2)
    disk.crash()
    const again = await start.open(disk)
    expect(again.endOffsetForEpoch(3)).toBeUndefined()
    expect(again.endOffsetForEpoch(5)).toEqual({ epoch: 5, endOffset: 3 })
    const repeated = await append(again, makeBatch({ ...batch, baseSequence: 1 }), 5)
    expect(repeated).toMatchObject({ errorCode: 0, baseOffset: 1, duplicate: true })
    await again.close()
  })

  test('records below the start are not found by time', async () => {
    const log = await openLog(await diskWithData())
    await append(log, { records: 4, timestampMs: 1000 })
    await log.deleteRecordsBefore(2)
    expect(await log.offsetForTimestamp(0)).toMatchObject({ offset: 2, timestampMs: 1002 })
    await log.close()
  })
})

describe('retention', () => {
  const day = 24 * 60 * 60 * 1000

  async function aged(change: Partial<LogConfig>, open = openLog) {
    const disk = await diskWithData()
    const clock = new ManualClock()
    const log = await open(disk, { clock, config: config(change) })
    return { disk, clock, log }
  }

  test('by time removes whole segments by their newest record, the active one too', async () => {
    const { log, clock, disk } = await aged({ retentionMs: day })
    await fill(log, 4, clock.nowMs())
    await log.roll()
    clock.advance(day / 2)
    await append(log, { records: 1, label: 'young', timestampMs: clock.nowMs() })
    await log.applyRetention()
    expect(log.logStartOffset).toBe(0)
    clock.advance(day / 2 + 1)
    await log.applyRetention()
    expect(await readValues(log)).toEqual(['young/0'])
    clock.advance(day)
    await log.applyRetention()
    expect([log.logStartOffset, log.logEndOffset, log.segmentCount]).toEqual([5, 5, 1])
    await log.applyRetention()
    expect(log.segmentCount).toBe(1)
    expect((await logFiles(disk)).filter((name) => name.endsWith('.log'))).toEqual([
      '00000000000000000005.log',
    ])
    await append(log, { records: 1, label: 'next' })
    expect(await readValues(log)).toEqual(['next/0'])
    await log.close()
  })

  test('by size keeps as many segments as are needed to hold that many bytes', async () => {
    const segmentBytes = 2 * makeBatch({ records: 1, label: 'r0' }).length
    const { log } = await aged({ retentionMs: -1, retentionBytes: 2 * segmentBytes - 1 })
    await fill(log, 8)
    await log.applyRetention()
    expect([log.logStartOffset, log.size]).toEqual([4, 2 * segmentBytes])
    await log.close()
  })

  test('keeps records above the high watermark, and logs that are only compacted', async () => {
    const { log } = await aged({ retentionBytes: 0 }, openReplica)
    await fill(log, 4)
    log.advanceHighWatermark(2)
    await log.applyRetention()
    expect(log.logStartOffset).toBe(2)
    log.advanceHighWatermark(4)
    log.updateConfig({ ...log.config, cleanupPolicy: { delete: false, compact: true } })
    await log.applyRetention()
    expect(log.logStartOffset).toBe(2)
    log.updateConfig({ ...log.config, cleanupPolicy: { delete: true, compact: true } })
    await log.applyRetention()
    expect(log.logStartOffset).toBe(4)
    await log.close()
  })

  test('files are deleted after the delay, at the close, or at the next start', async () => {
    const { log, clock, disk } = await aged({ retentionBytes: 0 })
    await fill(log, 4)
    await log.applyRetention()
    expect((await logFiles(disk)).filter((name) => name.endsWith('.deleted'))).toHaveLength(2)
    await clock.advanceAndSettle(log.config.fileDeleteDelayMs)
    expect(await logFiles(disk)).toEqual(['00000000000000000004.log'])
    await fill(log, 2)
    await log.applyRetention()
    const life = mortalDisk(disk)
    life.kill()
    disk.crash()
    const again = await openLog(disk)
    expect(again.logStartOffset).toBe(6)
    expect(await logFiles(disk)).toEqual(['00000000000000000006.log'])
    await again.close()
  })

  test('a read in progress gets its bytes', async () => {
    const { log } = await aged({ retentionBytes: 0 })
    await fill(log, 4)
    const expected = (await log.read(0, 1000)).bytes
    const reading = log.read(0, 1000)
    await log.applyRetention()
    expect((await reading).bytes.equals(expected)).toBe(true)
    expect((await log.read(0, 1000)).errorCode).toBe(ErrorCode.offsetOutOfRange)
    await settle()
    await log.close()
  })
})
