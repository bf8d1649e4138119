// Transactions in one partition's log: what `read_committed` consumers may see and are told to skip,
// who may open a transaction, who may end it, and that a restart changes none of it.

import { describe, expect, test } from 'vitest'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import type { TransactionalProducer } from '../../../broker/log/transactionVerification.ts'
import { buildEndTransactionMarker } from '../../../protocol/kafka/endTransactionMarker.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../protocol/kafka/recordBatch.ts'
import { append, diskWithData, makeBatch, openLog } from './logFixture.ts'

interface Sender {
  readonly producerId: number
  readonly producerEpoch: number
}

const anna: Sender = { producerId: 1, producerEpoch: 0 }
const bert: Sender = { producerId: 2, producerEpoch: 0 }

function verifying(sender: Sender, baseSequence = 0, supportsEpochBump = false) {
  return { ...sender, baseSequence, supportsEpochBump } satisfies TransactionalProducer
}

/** One transactional record, verified as Produce does it. Returns the error code. */
async function write(log: PartitionLog, sender: Sender, baseSequence: number): Promise<number> {
  const verification = log.verificationFor(verifying(sender, baseSequence))
  const batch = makeBatch({ records: 1, ...sender, baseSequence, isTransactional: true })
  return (await log.append(batch, { leaderEpoch: 0, origin: 'client', verification })).errorCode
}

async function end(
  log: PartitionLog,
  sender: Sender,
  isCommit: boolean,
  coordinatorEpoch = 0,
): Promise<number> {
  const marker = buildEndTransactionMarker(sender, { isCommit, coordinatorEpoch }, 2000)
  return (await log.append(marker, { leaderEpoch: 0, origin: 'coordinator' })).errorCode
}

async function committedRead(log: PartitionLog, offset: number) {
  const read = await log.read(offset, 100_000, { upTo: 'lastStable' })
  const offsets = [...splitBatches(read.bytes)].map((batch) => batch.baseOffset)
  return { offsets, aborted: read.abortedTransactions, lastStable: read.lastStableOffset }
}

describe('what may be read', () => {
  test('an open transaction holds back what is behind it, until its marker is there', async () => {
    const log = await openLog(await diskWithData())
    await append(log, { records: 1 })
    expect(await write(log, anna, 0)).toBe(ErrorCode.none)
    expect(await write(log, bert, 0)).toBe(ErrorCode.none)
    expect(await committedRead(log, 0)).toEqual({ offsets: [0], aborted: [], lastStable: 1 })
    expect(await committedRead(log, 1)).toEqual({ offsets: [], aborted: [], lastStable: 1 })
    expect(await end(log, bert, true)).toBe(ErrorCode.none)
    expect(log.lastStableOffset).toBe(1)
    expect(await end(log, anna, false)).toBe(ErrorCode.none)
    expect(log.lastStableOffset).toBe(5)
    expect(await committedRead(log, 0)).toEqual({
      offsets: [0, 1, 2, 3, 4],
      aborted: [{ producerId: 1, firstOffset: 1 }],
      lastStable: 5,
    })
    expect((await log.read(0, 100_000)).abortedTransactions).toBeUndefined()
    await log.close()
  })

  test('a marker above the high watermark settles nothing yet', async () => {
    const log = await openLog(await diskWithData())
    log.setHighWatermark(0)
    await write(log, anna, 0)
    await append(log, { records: 1 })
    await end(log, anna, true)
    log.setHighWatermark(2)
    expect(log.lastStableOffset).toBe(0)
    let told = 0
    log.onAppend(() => {
      told = log.lastStableOffset
    })
    log.setHighWatermark(3)
    expect(told).toBe(3)
    await log.close()
  })

  test('records are found by time only where they may be read', async () => {
    const log = await openLog(await diskWithData())
    await append(log, { records: 1, timestampMs: 1000 })
    await write(log, anna, 0)
    await append(log, { records: 1, timestampMs: 5000 })
    expect((await log.offsetForTimestamp(3000))?.offset).toBe(2)
    expect(await log.offsetForTimestamp(3000, 'lastStable')).toBeUndefined()
    expect((await log.offsetOfMaxTimestamp())?.offset).toBe(2)
    expect(await log.offsetOfMaxTimestamp('lastStable')).toBeUndefined()
    await log.close()
  })
})

describe('a marker', () => {
  test('of an older coordinator, or for an older epoch of the producer, is refused', async () => {
    const log = await openLog(await diskWithData())
    const next = { ...anna, producerEpoch: 1 }
    await write(log, anna, 0)
    expect(await end(log, next, true, 5)).toBe(ErrorCode.none)
    expect(await end(log, next, true, 4)).toBe(ErrorCode.transactionCoordinatorFenced)
    expect(await end(log, anna, true, 5)).toBe(ErrorCode.invalidProducerEpoch)
    expect(await write(log, anna, 1)).toBe(ErrorCode.invalidProducerEpoch)
    expect(await write(log, next, 1)).toBe(ErrorCode.outOfOrderSequenceNumber)
    expect(await write(log, next, 0)).toBe(ErrorCode.none)
    expect([...log.producers()]).toMatchObject([
      { producerId: 1, producerEpoch: 1, coordinatorEpoch: 5, currentTxnFirstOffset: 2 },
    ])
    await log.close()
  })

  test('of a producer that has written nothing is kept and ends nothing', async () => {
    const log = await openLog(await diskWithData())
    expect(await end(log, anna, false)).toBe(ErrorCode.none)
    expect(await committedRead(log, 0)).toEqual({ offsets: [0], aborted: [], lastStable: 1 })
    await log.close()
  })
})

describe('a batch that opens a transaction', () => {
  const batch = () => makeBatch({ records: 1, ...anna, baseSequence: 0, isTransactional: true })

  test('needs a guard, which a marker in between makes worthless', async () => {
    const log = await openLog(await diskWithData())
    const bare = await log.append(batch(), { leaderEpoch: 0, origin: 'client' })
    expect(bare.errorCode).toBe(ErrorCode.invalidTxnState)
    const verification = log.verificationFor(verifying(anna))
    expect(verification).toBeDefined()
    expect(log.verificationFor(verifying(anna))).toBe(verification)
    await end(log, anna, false)
    const late = await log.append(batch(), { leaderEpoch: 0, origin: 'client', verification })
    expect(late.errorCode).toBe(ErrorCode.invalidTxnState)
    expect(log.lastStableOffset).toBe(log.highWatermark)
    expect(await write(log, anna, 0)).toBe(ErrorCode.none)
    expect(log.verificationFor(verifying(anna, 1))).toBeUndefined()
    await log.close()
  })
})

test('offsets of a transaction have no sequence numbers, and open it all the same', async () => {
  const log = await openLog(await diskWithData())
  const offsets = makeBatch({ records: 1, ...anna, isTransactional: true })
  const written = await log.append(offsets, { leaderEpoch: 0, origin: 'coordinator' })
  expect(written.errorCode).toBe(ErrorCode.none)
  expect(log.lastStableOffset).toBe(0)
  await end(log, anna, true)
  expect(log.lastStableOffset).toBe(2)
  await log.close()
})
