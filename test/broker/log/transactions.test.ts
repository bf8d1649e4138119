// Transactions in the log of one partition: which records `read_committed` consumers see and skip,
// which producers may open and end a transaction, and that a restart changes nothing.

import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { buildEndTransactionMarker } from '../../../protocol/kafka/records/endTransactionMarker.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { append, diskWithData, makeBatch, openLog, openReplica, smallConfig } from './logFixture.ts'
import { committedRead, end, type Sender, verifying, write } from './transactionFixture.ts'

const anna: Sender = { producerId: 1, producerEpoch: 0 }
const bert: Sender = { producerId: 2, producerEpoch: 0 }

describe('a read_committed read', () => {
  test('ends at an open transaction until its marker is appended', async () => {
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

  test('does not pass a marker above the high watermark', async () => {
    const log = await openReplica(await diskWithData())
    await write(log, anna, 0)
    await append(log, { records: 1 })
    await end(log, anna, true)
    log.advanceHighWatermark(2)
    expect(log.lastStableOffset).toBe(0)
    let told = 0
    log.onHighWatermark(() => {
      told = log.lastStableOffset
    })
    log.advanceHighWatermark(3)
    expect(told).toBe(3)
    await log.close()
  })

  test('finds records by time only below the last stable offset', async () => {
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

  test('of a producer that has written nothing is appended and ends nothing', async () => {
    const log = await openLog(await diskWithData())
    expect(await end(log, anna, false)).toBe(ErrorCode.none)
    expect(await committedRead(log, 0)).toEqual({ offsets: [0], aborted: [], lastStable: 1 })
    await log.close()
  })
})

describe('a batch that opens a transaction', () => {
  const batch = () => makeBatch({ records: 1, ...anna, baseSequence: 0, isTransactional: true })

  test('needs a guard, which a marker in between invalidates', async () => {
    const log = await openLog(await diskWithData())
    const bare = await log.appendAsLeader(batch(), { leaderEpoch: 0, origin: 'client' })
    expect(bare.errorCode).toBe(ErrorCode.invalidTxnState)
    const verification = log.verificationFor(verifying(anna))
    expect(verification).toBeDefined()
    expect(log.verificationFor(verifying(anna))).toBe(verification)
    await end(log, anna, false)
    const late = await log.appendAsLeader(batch(), {
      leaderEpoch: 0,
      origin: 'client',
      verification,
    })
    expect(late.errorCode).toBe(ErrorCode.invalidTxnState)
    expect(log.lastStableOffset).toBe(log.highWatermark)
    expect(await write(log, anna, 0)).toBe(ErrorCode.none)
    expect(log.verificationFor(verifying(anna, 1))).toBeUndefined()
    await log.close()
  })

  test('needs none without verification, unless its client leaves adding to the broker', async () => {
    const config = { ...smallConfig, transactionVerification: false }
    const log = await openLog(await diskWithData(), { config })
    expect(log.verificationFor(verifying(anna))).toBeUndefined()
    expect(log.verificationFor(verifying(anna, 0, true))).toBeDefined()
    const bare = await log.appendAsLeader(batch(), { leaderEpoch: 0, origin: 'client' })
    expect(bare.errorCode).toBe(ErrorCode.none)
    await log.close()
  })

  test('does not overtake one with a lower sequence number that is being verified', async () => {
    const log = await openLog(await diskWithData())
    const verification = log.verificationFor(verifying(anna, 1))
    expect(log.verificationFor(verifying(anna, 0))).toBe(verification)
    expect(await write(log, anna, 1)).toBe(ErrorCode.outOfOrderSequenceNumber)
    expect(await write(log, anna, 0)).toBe(ErrorCode.none)
    expect(await write(log, anna, 1)).toBe(ErrorCode.none)
    await log.close()
  })

  test('starts at sequence 0 if each transaction has its epoch', async () => {
    const log = await openLog(await diskWithData())
    const later = makeBatch({ records: 1, ...anna, baseSequence: 3, isTransactional: true })
    const verification = log.verificationFor(verifying(anna, 3, true))
    const refused = await log.appendAsLeader(later, {
      leaderEpoch: 0,
      origin: 'client',
      verification,
    })
    expect(refused.errorCode).toBe(ErrorCode.outOfOrderSequenceNumber)
    expect(await write(log, bert, 3)).toBe(ErrorCode.none)
    await log.close()
  })

  test('excludes records outside it, and a transaction without a producer', async () => {
    const log = await openLog(await diskWithData())
    await write(log, anna, 0)
    const beside = await append(log, { records: 1, ...anna, baseSequence: 1 })
    expect(beside.errorCode).toBe(ErrorCode.invalidTxnState)
    const nobody = await append(log, { records: 1, isTransactional: true })
    expect(nobody.errorCode).toBe(ErrorCode.invalidRecord)
    expect(await write(log, anna, 1)).toBe(ErrorCode.none)
    await log.close()
  })

  test('is undone with the batches of its append', async () => {
    const log = await openLog(await diskWithData())
    const verification = log.verificationFor(verifying(anna))
    const beside = makeBatch({ records: 1, ...anna, baseSequence: 1 })
    const both = Buffer.concat([batch(), beside])
    const refused = await log.appendAsLeader(both, {
      leaderEpoch: 0,
      origin: 'client',
      verification,
    })
    expect(refused.errorCode).toBe(ErrorCode.invalidTxnState)
    await append(log, { records: 1 })
    expect(log.lastStableOffset).toBe(1)
    expect([...log.producers()]).toEqual([])
    await log.close()
  })
})

describe('the coordinator', () => {
  test('writes offsets without sequence numbers, and opens a transaction with them', async () => {
    const log = await openLog(await diskWithData())
    const offsets = makeBatch({ records: 1, ...anna, isTransactional: true })
    const options = { leaderEpoch: 0, origin: 'coordinator' } as const
    const bare = await log.appendAsLeader(offsets, options)
    expect(bare.errorCode).toBe(ErrorCode.invalidTxnState)
    const verification = log.verificationFor(verifying(anna, -1))
    const written = await log.appendAsLeader(offsets, { ...options, verification })
    expect(written.errorCode).toBe(ErrorCode.none)
    expect(log.lastStableOffset).toBe(0)
    await end(log, anna, true)
    expect(log.lastStableOffset).toBe(2)
    await log.close()
  })

  test('appends a marker alone, and only one with an outcome', async () => {
    const log = await openLog(await diskWithData())
    const appendAs = async (bytes: Buffer) =>
      (await log.appendAsLeader(bytes, { leaderEpoch: 0, origin: 'coordinator' })).errorCode
    const marker = () =>
      buildEndTransactionMarker(anna, { isCommit: true, coordinatorEpoch: 0 }, 1000)
    expect(await appendAs(Buffer.concat([marker(), marker()]))).toBe(ErrorCode.invalidRecord)
    const builder = new RecordBatchBuilder({ ...anna, isTransactional: true, isControl: true })
    builder.append(1000, Buffer.from('0000000f', 'hex'), Buffer.alloc(6))
    expect(await appendAs(builder.build())).toBe(ErrorCode.invalidRecord)
    await log.close()
  })
})
