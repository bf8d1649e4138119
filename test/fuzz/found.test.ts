// Bugs that the fuzzer has found, one case each: small requests and small damage that once did
// harm.

import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
} from '../../broker/log/producers/producerSnapshot.ts'
import { ProducerState } from '../../broker/log/producers/producerState.ts'
import { TransactionIndex } from '../../broker/log/segment/indexes/transactionIndex.ts'
import { RecoveryScan } from '../../broker/log/segment/recoveryScan.ts'
import { Compression } from '../../protocol/bytes/compression.ts'
import { crc32c } from '../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../protocol/bytes/reader.ts'
import { describeUserScramCredentials } from '../../protocol/kafka/apis/describeUserScramCredentials.ts'
import { joinGroup } from '../../protocol/kafka/apis/joinGroup.ts'
import { metadata } from '../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { encodeRequest } from '../../protocol/kafka/frame.ts'
import { RecordBatch, RecordBatchField } from '../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import { primitiveCodec } from '../../protocol/kafka/schema/primitiveCodec.ts'
import { append, diskWithData, openLog } from '../broker/log/logFixture.ts'
import { batchOf, MemoryBroker, type RawClient } from '../broker/server/memoryBroker.ts'
import { withRecords } from './forgedBatches.ts'

let broker: MemoryBroker
let client: RawClient

beforeEach(async () => {
  broker = await MemoryBroker.start()
  client = await broker.client()
})

afterEach(() => broker.stop())

const longName = 'x'.repeat(32_767)

it('offsets with the largest retention time do not prevent a restart of the broker', async () => {
  await client.send(metadata, 1, { topics: [{ name: 't' }] })
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }]
  const answer = await client.send(offsetCommit, 2, {
    groupId: 'g',
    memberId: '',
    retentionTimeMs: Number.MAX_SAFE_INTEGER,
    topics: [{ name: 't', partitions }],
  })
  expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.none)
  await broker.broker.close()
  await broker.start()
})

it('an error message that quotes a long value is truncated, and the answer is sent', async () => {
  const { results } = await client.send(describeUserScramCredentials, 0, {
    users: [{ name: longName }],
  })
  expect(results[0]!.user).toBe(longName)
  expect(results[0]!.errorMessage!.length).toBeLessThan(2000)
})

it('a client with a long name gets a member id that fits into a string', async () => {
  const answer = client.expectAnswer(joinGroup, 4)
  const body = {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
  }
  const header = { correlationId: 1, clientId: `${'x'.repeat(999)}${'😀'.repeat(5000)}` }
  client.write(Buffer.concat(encodeRequest(joinGroup, 4, header, body)))
  const { errorCode, memberId } = await answer
  expect(errorCode).toBe(ErrorCode.memberIdRequired)
  expect(memberId.length).toBeLessThan(1100)
  expect(memberId.isWellFormed()).toBe(true)
})

it('bytes that are not UTF-8 and would decode to too long a string are malformed', () => {
  const codec = primitiveCodec('string', { flexible: false, nullable: false, where: 'here' })
  const bytes = Buffer.alloc(2 + 20_000, 0xff)
  bytes.writeInt16BE(20_000)
  expect(() => codec.decode(new ByteReader(bytes))).toThrow(MalformedError)
  bytes.fill('x', 2)
  expect(codec.decode(new ByteReader(bytes))).toBe('x'.repeat(20_000))
})

it('records that cannot be decoded do not fail a search by time', async () => {
  const log = await openLog(await diskWithData())
  const unreadable = withRecords(batchOf('a', 'b'), Compression.gzip, Buffer.from('no gzip'))
  // Clients cannot append such a batch any more; the batches of a leader are appended unchecked.
  const appended = await log.appendAsFollower(unreadable)
  expect(appended.errorCode).toBe(ErrorCode.none)
  expect(await log.offsetForTimestamp(1000)).toMatchObject({ offset: 0 })
  expect(await log.offsetOfMaxTimestamp()).toMatchObject({ offset: 0 })
  await log.close()
})

it('an aborted transaction with numbers beyond the safe range is damage', () => {
  const index = TransactionIndex.empty()
  index.append({ producerId: 1, firstOffset: 0, lastOffset: 5, lastStableOffset: 6 })
  const bytes = Buffer.from(index.copyFrom(0))
  expect(TransactionIndex.load(0, Buffer.from(bytes)).count).toBe(1)
  bytes.writeBigInt64BE(2n ** 62n, 2)
  expect(TransactionIndex.load(0, bytes).count).toBe(0)
})

it('a producer snapshot with such numbers is damage, even with a correct checksum', () => {
  const producers = new ProducerState(1000)
  producers.append(new RecordBatch(soundIdempotentBatch()), 0)
  const bytes = encodeProducerSnapshot(producers)
  expect(decodeProducerSnapshot(bytes, 1000, 0)).toBeDefined()
  bytes.writeBigInt64BE(2n ** 62n, 10)
  bytes.writeUInt32BE(crc32c(bytes, 6), 2)
  expect(decodeProducerSnapshot(bytes, 1000, 0)).toBeUndefined()
})

function soundIdempotentBatch(): Buffer {
  const builder = new RecordBatchBuilder({ producerId: 1, producerEpoch: 0, baseSequence: 0 })
  builder.append(1000, null, Buffer.from('a'))
  return builder.build()
}

it('recovery truncates at a batch whose offset does not fit the index of its segment', () => {
  const scanned = (baseOffset: number) => {
    const batch = new RecordBatch(batchOf('a'))
    batch.baseOffset = baseOffset
    const { bytes } = batch
    const start = { position: 0, fileBytes: bytes.length, nextOffset: 0, verifyFrom: 0 }
    const scan = new RecoveryScan(start, () => undefined)
    scan.feed(bytes)
    return scan
  }
  expect(scanned(2 ** 31 - 1)).toMatchObject({ defect: undefined, nextOffset: 2 ** 31 })
  expect(scanned(2 ** 31).defect).toMatch(/^offset 2147483648/)
})

it('recovery by headers truncates at a batch with a timestamp beyond the safe range', () => {
  const bytes = batchOf('a')
  bytes.writeBigInt64BE(2n ** 63n - 1n, RecordBatchField.maxTimestamp)
  const start = { position: 0, fileBytes: bytes.length, nextOffset: 0, verifyFrom: 100 }
  const scan = new RecoveryScan(start, () => undefined)
  scan.feed(bytes)
  expect(scan.defect).toMatch(/timestamps/)
})

it('a batch at an impossible position ends a search by time, and appends', async () => {
  const disk = await diskWithData()
  const log = await openLog(disk)
  for (const _ of [0, 1]) await append(log, { records: 1 })
  const file = await disk.open('/data/orders-0/00000000000000000000.log', 'write')
  // A length of zero, at which a scan would never advance.
  await file.write([Buffer.from([0xff, 0xff, 0xff, 0xf4])], 8)
  await file.close()
  await expect(log.offsetForTimestamp(1000)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
  expect(log.offline).toMatchObject({ code: 'LOG_CORRUPT' })
  await log.close()
})
