// A log whose files are damaged or incomplete: unacknowledged records are truncated, damage to
// acknowledged records is reported and kept, and a failed sync never counts as a sync.

import { describe, expect, test } from 'vitest'
import { defaultLogConfig } from '../../../../broker/log/logConfig.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import {
  append,
  diskWithData,
  makeBatch,
  openLog,
  readAll,
  readValues,
  smallConfig,
} from '../logFixture.ts'
import { mortalDisk } from '../mortalDisk.ts'

const directory = '/data/orders-0'
const firstSegment = `${directory}/00000000000000000000.log`

async function flip(disk: MemoryDisk, path: string, position: number): Promise<void> {
  const file = await disk.open(path, 'write')
  const byte = Buffer.alloc(1)
  await file.read(byte, position)
  byte[0]! ^= 0x10
  await file.write([byte], position)
  await file.sync()
  await file.close()
}

async function sizeOf(disk: MemoryDisk, path: string): Promise<number | undefined> {
  return (await disk.stat(path))?.sizeBytes
}

describe('above the recovery point', () => {
  test('a batch with a wrong CRC is truncated, with all later ones', async () => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    const size = makeBatch({ records: 1, label: 'a' }).length
    for (const label of ['a', 'b', 'c']) await append(log, { records: 1, label })
    disk.crash()
    await flip(disk, firstSegment, 2 * size - 1)
    const again = await openLog(disk)
    expect(again.offline).toBeUndefined()
    expect(await readValues(again)).toEqual(['a/0'])
    expect(await sizeOf(disk, firstSegment)).toBe(size)
    await append(again, { records: 1, label: 'd' })
    expect(await readValues(again)).toEqual(['a/0', 'd/0'])
    await again.close()
  })

  test('every possible torn length of the last batch is truncated', async () => {
    const size = makeBatch({ records: 2, label: 'torn' }).length
    for (let torn = 0; torn < size; torn++) {
      const disk = await diskWithData()
      const log = await openLog(disk)
      await append(log, { records: 2, label: 'whole' })
      await append(log, { records: 2, label: 'torn' })
      disk.crash()
      const file = await disk.open(firstSegment, 'write')
      await file.truncate(makeBatch({ records: 2, label: 'whole' }).length + torn)
      await file.close()
      const again = await openLog(disk)
      expect(again.logEndOffset).toBe(2)
      expect(again.offline).toBeUndefined()
      await again.close()
    }
  })
})

test('with flush=os segments after a torn tail are removed, and later appends stay', async () => {
  const config = { ...smallConfig, flush: 'os' } as const
  const disk = await diskWithData()
  const log = await openLog(disk, { config })
  for (const label of ['a', 'torn']) await append(log, { records: 1, label })
  await log.roll()
  await append(log, { records: 1, label: 'behind' })
  await log.close()
  const file = await disk.open(firstSegment, 'write')
  await file.truncate(makeBatch({ records: 1, label: 'a' }).length + 1)
  await file.close()
  const again = await openLog(disk, { config })
  expect(again).toMatchObject({ offline: undefined, logEndOffset: 1 })
  const names = await disk.list(directory)
  expect(names.filter((name) => name.startsWith('00000000000000000002.'))).toEqual([])
  for (const label of ['b', 'c']) await append(again, { records: 1, label })
  await again.close()
  const last = await openLog(disk, { config })
  expect(last.offline).toBeUndefined()
  expect(await readValues(last)).toEqual(['a/0', 'b/0', 'c/0'])
  await last.close()
})

test('a power failure does not remove what an earlier restart has found', async () => {
  const disk = await diskWithData()
  const killed = mortalDisk(disk)
  const log = await openLog(killed)
  const unanswered = append(log, { records: 1, label: 'written' })
  while ((await sizeOf(disk, firstSegment)) === 0) await Promise.resolve()
  killed.kill()
  expect((await unanswered).errorCode).toBe(ErrorCode.kafkaStorageError)
  const again = await openLog(disk)
  expect(again.highWatermark).toBe(1)
  disk.crash()
  const last = await openLog(disk)
  expect(await readValues(last)).toEqual(['written/0'])
  await last.close()
})

describe('synced data', () => {
  test('damage in a segment that is not the last takes the log offline, with file and byte', async () => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    const size = makeBatch({ records: 1, label: 'a' }).length
    for (const label of ['a', 'b']) await append(log, { records: 1, label })
    await log.roll()
    await append(log, { records: 1, label: 'c' })
    disk.crash()
    await flip(disk, firstSegment, 2 * size - 1)
    const again = await openLog(disk)
    expect(again.offline).toMatchObject({ code: 'LOG_CORRUPT' })
    expect(again.offline?.message).toContain(`${firstSegment} is damaged at byte ${size}`)
    expect(await readValues(again)).toEqual(['a/0'])
    const refused = await append(again, { records: 1 })
    expect(refused).toMatchObject({ errorCode: ErrorCode.kafkaStorageError, baseOffset: -1 })
    await again.close()
    expect(await sizeOf(disk, firstSegment)).toBe(2 * size)
    expect(await sizeOf(disk, `${directory}/00000000000000000002.log`)).toBe(size)
  })

  test('missing records below the recovery point take the log offline', async () => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    await append(log, { records: 3 })
    await log.close()
    const file = await disk.open(firstSegment, 'write')
    await file.truncate(10)
    await file.close()
    const again = await openLog(disk, { recoveryPoint: 3 })
    expect(again.offline).toMatchObject({ code: 'LOG_CORRUPT' })
    await again.close()
    expect(again.recoveryPoint).toBe(3)
  })

  test('records below the recovery point are not read again', async () => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    const size = makeBatch({ records: 1, label: 'a' }).length
    for (const label of ['a', 'b', 'c', 'd', 'e']) await append(log, { records: 1, label })
    await log.close()
    await flip(disk, firstSegment, size - 1)
    const again = await openLog(disk, { recoveryPoint: 5 })
    expect(again).toMatchObject({ offline: undefined, logEndOffset: 5 })
    await again.close()
  })
})

test('missing and damaged indexes are rebuilt', async () => {
  const disk = await diskWithData()
  const log = await openLog(disk)
  for (let number = 0; number < 40; number++) await append(log, { records: 3, label: `n${number}` })
  const all = await readAll(log)
  await log.close()
  const names = await disk.list(directory)
  const indexNames = names.filter((name) => name.endsWith('index'))
  const before = await Promise.all(indexNames.map((name) => disk.readFile(`${directory}/${name}`)))
  expect(names.filter((name) => name.endsWith('.log')).length).toBeGreaterThan(2)
  for (const [number, name] of indexNames.entries()) {
    if (number % 2 === 0) await disk.remove(`${directory}/${name}`)
    else await flip(disk, `${directory}/${name}`, 0)
  }
  const again = await openLog(disk, { recoveryPoint: 0 })
  expect(await readAll(again, 1)).toEqual(all)
  await again.close()
  const after = await Promise.all(indexNames.map((name) => disk.readFile(`${directory}/${name}`)))
  expect(after).toEqual(before)
})

describe('producers', () => {
  const batchOf = (baseSequence: number) =>
    makeBatch({ records: 2, producerId: 9, producerEpoch: 0, baseSequence })

  test.each([
    ['a crash', false],
    ['a clean shutdown', true],
  ])('are remembered after %s, with all their last batches', async (_, isClean) => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    for (let sequence = 0; sequence < 12; sequence += 2) await append(log, batchOf(sequence))
    if (isClean) await log.close()
    else disk.crash()
    const again = await openLog(disk, { recoveryPoint: log.recoveryPoint })
    for (let sequence = 2; sequence < 12; sequence += 2) {
      const result = await append(again, batchOf(sequence))
      expect(result).toMatchObject({ errorCode: 0, duplicate: true, baseOffset: sequence })
    }
    expect(await append(again, batchOf(12))).toMatchObject({ duplicate: false, baseOffset: 12 })
    expect(again.logEndOffset).toBe(14)
    await again.close()
  })

  test('are truncated with the log', async () => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    for (let sequence = 0; sequence < 12; sequence += 2) await append(log, batchOf(sequence))
    await log.truncateTo(7)
    expect(log.logEndOffset).toBe(6)
    expect(await append(log, batchOf(8))).toMatchObject({
      errorCode: ErrorCode.outOfOrderSequenceNumber,
    })
    expect(await append(log, batchOf(6))).toMatchObject({ duplicate: false, baseOffset: 6 })
    await log.close()
  })

  test('a retry before the first append is synced waits for that sync', async () => {
    const disk = await diskWithData()
    const log = await openLog(disk)
    const order: string[] = []
    const first = append(log, batchOf(0)).then(() => order.push('first'))
    const second = append(log, batchOf(0)).then((result) => {
      order.push('second')
      expect(result).toMatchObject({ duplicate: true, baseOffset: 0, lastOffset: 1 })
    })
    await Promise.all([first, second])
    expect(order).toEqual(['first', 'second'])
    expect(log.logEndOffset).toBe(2)
    await log.close()
  })
})

describe('a disk that fails', () => {
  test.each(['write', 'sync'])(
    'in a %s: nothing is acknowledged, and nothing is retried',
    async (operation) => {
      let failing = false
      let failures = 0
      const disk = await diskWithData(
        new MemoryDisk({
          beforeChange(name, path) {
            if (!failing || name !== operation || !path.endsWith('.log')) return
            failures++
            throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
          },
        }),
      )
      const log = await openLog(disk)
      await append(log, { records: 1, label: 'kept' })
      failing = true
      const results = await Promise.all([append(log, { records: 1 }), append(log, { records: 1 })])
      failing = false
      results.push(await append(log, { records: 1 }))
      for (const result of results) expect(result.errorCode).toBe(ErrorCode.kafkaStorageError)
      expect(failures).toBe(1)
      expect(log.offline).toMatchObject({ code: 'LOG_WRITE_FAILED' })
      expect(log.highWatermark).toBe(1)
      expect(await readValues(log)).toEqual(['kept/0'])
      await expect(log.flush()).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' })
      await log.close()
      expect(log.recoveryPoint).toBeLessThanOrEqual(1)
    },
  )
})

test('a full index makes the log start a new segment', async () => {
  const config = { ...defaultLogConfig, indexIntervalBytes: 1, segmentIndexBytes: 40 }
  const log = await openLog(await diskWithData(), { config })
  for (let number = 0; number < 24; number++) await append(log, { records: 1 })
  expect(log.segmentCount).toBeGreaterThan(2)
  await log.close()
})

test('with flush=os an append is answered without a sync', async () => {
  let syncs = 0
  const disk = await diskWithData(
    new MemoryDisk({
      beforeChange: (name, path) => {
        if (name === 'sync' && path.endsWith('.log')) syncs++
      },
    }),
  )
  const log = await openLog(disk, { config: { ...smallConfig, flush: 'os' } })
  syncs = 0
  await append(log, { records: 1 })
  expect([syncs, log.highWatermark]).toEqual([0, 1])
  await log.flush()
  expect(syncs).toBe(1)
  await log.close()
})
