// What the fuzzer has found, a case each: small requests that once did harm.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../protocol/bytes/reader.ts'
import { describeUserScramCredentials } from '../../protocol/kafka/apis/describeUserScramCredentials.ts'
import { joinGroup } from '../../protocol/kafka/apis/joinGroup.ts'
import { metadata } from '../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { encodeRequest } from '../../protocol/kafka/frame.ts'
import { primitiveCodec } from '../../protocol/kafka/primitiveCodec.ts'
import { MemoryBroker, type RawClient } from '../broker/server/memoryBroker.ts'

let broker: MemoryBroker
let client: RawClient

beforeEach(async () => {
  broker = await MemoryBroker.start()
  client = await broker.client()
})

afterEach(() => broker.stop())

const longName = 'x'.repeat(32_767)

it('offsets that are to be kept for ever do not keep the broker from starting again', async () => {
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

it('words that quote what is long are cut, and the answer is sent', async () => {
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

it('bytes that are not UTF-8 and would become too long a string are malformed', () => {
  const codec = primitiveCodec('string', { flexible: false, nullable: false, where: 'here' })
  const bytes = Buffer.alloc(2 + 20_000, 0xff)
  bytes.writeInt16BE(20_000)
  expect(() => codec.decode(new ByteReader(bytes))).toThrow(MalformedError)
  bytes.fill('x', 2)
  expect(codec.decode(new ByteReader(bytes))).toBe('x'.repeat(20_000))
})
