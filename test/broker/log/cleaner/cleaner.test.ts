// Compaction of single logs: which records are kept, which are removed, and that everything else is
// unchanged.

import { describe, expect, test } from 'vitest'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import { buildEndTransactionMarker } from '../../../../protocol/kafka/records/endTransactionMarker.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { append, openLog } from '../logFixture.ts'
import {
  appendWhole,
  cleanLog,
  compactConfig,
  type KeyedRecord,
  keyedBatch,
  readBatches,
  readRecords,
  sealedLog,
} from './cleaningFixture.ts'

const anna = { producerId: 1, producerEpoch: 0 }

function transactional(keyed: readonly KeyedRecord[], baseSequence: number): Buffer {
  return keyedBatch(keyed, { ...anna, baseSequence, isTransactional: true })
}

function marker(isCommit: boolean, producer = anna): Buffer {
  return buildEndTransactionMarker(producer, { isCommit, coordinatorEpoch: 0 }, 2000)
}

/** The base offsets of the batches, with their record counts. */
async function layout(log: Parameters<typeof readBatches>[0]): Promise<string[]> {
  const batches = await readBatches(log)
  return batches.map(({ baseOffset, recordCount, isControl }) => {
    return `${isControl ? 'marker ' : ''}${baseOffset}: ${recordCount}`
  })
}

describe('records', () => {
  test('the last record of each key keeps its offset, and the active segment is not cleaned', async () => {
    const rounds = ['1', '2', '3'].map((value) => keyedBatch([['a', value]]))
    const { disk, log } = await sealedLog([...rounds, keyedBatch([['b', '3']])])
    await append(log, keyedBatch([['a', 'active']]))
    await append(log, keyedBatch([['a', 'active too']]))
    expect(await cleanLog(log, { disk })).toBe(4)
    expect(await readRecords(log)).toEqual([
      { offset: 2, key: 'a', value: '3' },
      { offset: 3, key: 'b', value: '3' },
      { offset: 4, key: 'a', value: 'active' },
      { offset: 5, key: 'a', value: 'active too' },
    ])
    await log.close()
  })

  test('segments are merged as far as they fit', async () => {
    const values = Array.from({ length: 40 }, (_, number) => `value ${number}`)
    const { disk, log } = await sealedLog(values.map((value) => keyedBatch([['a', value]])))
    const before = log.segmentCount
    expect(before).toBeGreaterThan(5)
    const end = await cleanLog(log, { disk })
    expect(log.segmentCount).toBe(before)
    expect(await cleanLog(log, { disk, from: end })).toBe(end)
    await append(log, keyedBatch([['b', '1']]))
    await log.roll()
    await cleanLog(log, { disk, from: end })
    expect(log.segmentCount).toBeLessThan(before)
    expect(await readRecords(log)).toEqual([
      { offset: 39, key: 'a', value: 'value 39' },
      { offset: 40, key: 'b', value: '1' },
    ])
    await log.close()
  })

  test.each(Object.entries(Compression))(
    'a batch in %s keeps some records, with headers and timestamps, and its header',
    async (_, compression) => {
      const producer = { producerId: 7, producerEpoch: 3, baseSequence: 5 }
      const mixed = keyedBatch(
        [
          ['a', 'old'],
          ['b', 'only'],
          ['a', 'old too'],
          ['c', 'only'],
        ],
        { compression, ...producer },
      )
      const { disk, log } = await sealedLog([mixed, keyedBatch([['a', 'new']])])
      await cleanLog(log, { disk })
      const [first] = await readBatches(log)
      expect(first).toMatchObject({
        ...producer,
        baseOffset: 0,
        lastOffset: 3,
        recordCount: 2,
        compression,
        maxTimestamp: 1003,
        lastSequence: 8,
      })
      expect(first!.isCrcValid()).toBe(true)
      const kept = [...records(first!, 1_000_000)]
      expect(kept.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
        [1, 1001],
        [3, 1003],
      ])
      expect(kept[1]!.headers).toEqual([{ key: 'number', value: Buffer.from('3') }])
      await log.close()
    },
  )

  test('a batch that is kept whole keeps its bytes', async () => {
    const batch = keyedBatch([['a', 'x'.repeat(50)]], { compression: Compression.gzip })
    const { disk, log } = await sealedLog([batch])
    const [before] = await readBatches(log)
    await cleanLog(log, { disk })
    const [after] = await readBatches(log)
    expect(after!.bytes.equals(before!.bytes)).toBe(true)
    await log.close()
  })

  test('a batch larger than all buffers is cleaned', async () => {
    const large: KeyedRecord[] = [['a', 'x'.repeat(5000)]]
    const config = { ...compactConfig, segmentBytes: 20_000 }
    const { disk, log } = await sealedLog([keyedBatch(large), keyedBatch(large)], config)
    await cleanLog(log, { disk, ioBufferBytes: 128 })
    expect(await layout(log)).toEqual(['1: 1'])
    await log.close()
  })

  test('a log rolls in time for max.compaction.lag.ms', async () => {
    const config = { ...compactConfig, maxCompactionLagMs: 500 }
    const { log } = await sealedLog([], config)
    await appendWhole(log, keyedBatch([['a', '1']], { timestampMs: 1000 }))
    await appendWhole(log, keyedBatch([['a', '2']], { timestampMs: 1500 }))
    expect(log.segmentCount).toBe(1)
    await appendWhole(log, keyedBatch([['a', '3']], { timestampMs: 1501 }))
    expect(log.segmentCount).toBe(2)
    await log.close()
  })

  test('when the map is full the round ends there, and the next one continues', async () => {
    const keys = Array.from({ length: 12 }, (_, number) => `key ${number}`)
    const written = [...keys, ...keys].map((key, number) => keyedBatch([[key, String(number)]]))
    const { disk, log } = await sealedLog(written)
    let from = 0
    let rounds = 0
    while (from < 24) {
      const next = await cleanLog(log, { disk, from, dedupeBufferBytes: 24 * 6 })
      expect(next).toBeGreaterThan(from)
      from = next
      rounds++
    }
    expect(rounds).toBeGreaterThan(2)
    expect((await readRecords(log)).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 12 }, (_, number) => number + 12),
    )
    await log.close()
  })

  test('damage is detected, and not overwritten', async () => {
    const { disk, log } = await sealedLog([keyedBatch([['a', '1']]), keyedBatch([['a', '2']])])
    const path = '/data/orders-0/00000000000000000000.log'
    const file = await disk.open(path, 'write')
    await file.write([Buffer.from('?')], 70)
    await expect(cleanLog(log, { disk })).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      message: expect.stringContaining(`${path} is damaged at byte 0`),
    })
    expect((await disk.list('/data/orders-0')).filter((name) => name.includes('.cleaned'))).toEqual(
      [],
    )
    await log.close()
  })
})

describe('tombstones', () => {
  test('are kept for delete.retention.ms after the first round, then removed', async () => {
    const { disk, clock, log } = await sealedLog([
      keyedBatch([
        ['a', '1'],
        ['b', '1'],
      ]),
      keyedBatch([['a', null]]),
      keyedBatch([['c', '1']]),
    ])
    await cleanLog(log, { disk, clock })
    const [, tombstone] = await readBatches(log)
    expect(tombstone!.deleteHorizonMs).toBe(clock.nowMs() + 1000)
    expect([...records(tombstone!, 1000)][0]).toMatchObject({ offset: 2, timestamp: 1000 })
    clock.advance(999)
    await append(log, keyedBatch([['d', '1']]))
    await log.roll()
    await cleanLog(log, { disk, clock })
    expect((await readRecords(log)).map(({ key }) => key)).toEqual(['b', 'a', 'c', 'd'])
    clock.advance(1)
    await cleanLog(log, { disk, clock })
    expect((await readRecords(log)).map(({ key }) => key)).toEqual(['b', 'c', 'd'])
    await log.close()
  })
})

describe('producers', () => {
  test('the last batch of each is kept empty, so that a retry is recognized after a restart', async () => {
    const sent = keyedBatch([['a', '1']], { ...anna, baseSequence: 0 })
    const again = Buffer.from(sent)
    const { disk, log } = await sealedLog([sent, keyedBatch([['a', '2']])])
    await cleanLog(log, { disk })
    expect(await layout(log)).toEqual(['0: 0', '1: 1'])
    await log.close()
    for (const name of await disk.list('/data/orders-0')) {
      if (name.endsWith('.snapshot')) await disk.remove(`/data/orders-0/${name}`)
    }
    const reopened = await openLog(disk, { config: compactConfig })
    expect(reopened.offline).toBeUndefined()
    expect(await append(reopened, again)).toMatchObject({ duplicate: true, baseOffset: 0 })
    await reopened.close()
  })
})

describe('transactions', () => {
  test('aborted records are removed, and the marker after them, when its horizon has passed', async () => {
    const { disk, clock, log } = await sealedLog([
      keyedBatch([['a', 'before']]),
      transactional([['a', 'aborted']], 0),
      transactional([['b', 'aborted']], 1),
      marker(false),
      transactional([['b', 'committed']], 2),
      marker(true),
      keyedBatch([['c', '1']]),
    ])
    await cleanLog(log, { disk, clock })
    expect(await layout(log)).toEqual(['0: 1', 'marker 3: 1', '4: 1', 'marker 5: 1', '6: 1'])
    const read = await log.read(0, 10_000, { upTo: 'lastStable' })
    expect(read.abortedTransactions).toEqual([{ producerId: 1, firstOffset: 1 }])
    await cleanLog(log, { disk, clock })
    expect((await log.read(0, 10_000, { upTo: 'lastStable' })).abortedTransactions).toEqual([])
    clock.advance(1000)
    await cleanLog(log, { disk, clock })
    expect(await layout(log)).toEqual(['0: 1', '4: 1', 'marker 5: 1', '6: 1'])
    expect((await readRecords(log)).map(({ key, value }) => [key, value])).toEqual([
      ['a', 'before'],
      ['b', 'committed'],
      ['c', '1'],
    ])
    await log.close()
  })

  test('a commit marker is kept while any batch of its transaction exists, even an empty one', async () => {
    const { disk, clock, log } = await sealedLog([
      transactional([['a', '1']], 0),
      marker(true),
      keyedBatch([['a', '2']]),
    ])
    for (let round = 0; round < 4; round++) {
      await cleanLog(log, { disk, clock })
      clock.advance(1000)
    }
    expect(await layout(log)).toEqual(['0: 0', 'marker 1: 1', '2: 1'])
    // The producer continues, so that its old batch is not needed any more.
    await appendWhole(log, transactional([['b', '1']], 1))
    await appendWhole(log, marker(true))
    await log.roll()
    for (let round = 0; round < 3; round++) {
      await cleanLog(log, { disk, clock })
      clock.advance(1000)
    }
    expect(await layout(log)).toEqual(['2: 1', '3: 1', 'marker 4: 1'])
    await log.close()
  })

  test('nothing at or above an open transaction is cleaned', async () => {
    const { disk, log } = await sealedLog([keyedBatch([['a', '1']]), keyedBatch([['a', '2']])])
    await appendWhole(log, transactional([['a', 'open']], 0))
    await log.roll()
    await append(log, keyedBatch([['a', '3']]))
    await log.roll()
    expect(await cleanLog(log, { disk })).toBe(2)
    expect((await readRecords(log)).map(({ value }) => value)).toEqual(['2', 'open', '3'])
    await log.close()
  })
})
