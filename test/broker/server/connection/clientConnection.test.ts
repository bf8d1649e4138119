// A client connection: order, overlap, long polls, limits, and peers that do not speak the
// protocol.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { apiVersions } from '../../../../protocol/kafka/apis/apiVersions.ts'
import { fetch } from '../../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { batchOf, MemoryBroker, type RawClient } from '../memoryBroker.ts'

function produceOf(records: Buffer, acks = -1) {
  const partitionData = [{ index: 0, records }]
  return { acks, timeoutMs: 1000, topicData: [{ name: 't', partitionData }] }
}

function fetchFrom(fetchOffset: number, options: { maxWaitMs?: number; minBytes?: number } = {}) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }]
  return {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 10_000_000,
    topics: [{ topic: 't', partitions }],
    ...options,
  }
}

function recordsIn(response: {
  responses: readonly { partitions: readonly { records: Buffer | null }[] }[]
}) {
  const bytes = response.responses[0]!.partitions[0]!.records!
  return [...splitBatches(bytes)].reduce((sum, batch) => sum + batch.recordCount, 0)
}

describe('a client connection', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start({ 'socket.outstanding.max.bytes': 100_000 })
    client = await broker.client()
    await client.send(metadata, 1, { topics: [{ name: 't' }] })
  })

  afterEach(() => broker.stop())

  it('appends fragmented requests unchanged, although their memory is reused', async () => {
    const value = (round: number) => `${round}`.repeat(80_000)
    const produceTwice = async (round: number) => {
      const batch = batchOf(value(round))
      await Promise.all([1, 2].map(() => client.send(produce, 7, produceOf(batch))))
    }
    for (let round = 0; round < 10; round += 2) {
      await Promise.all([produceTwice(round), produceTwice(round + 1)])
    }
    for (let round = 0; round < 10; round++) {
      const { responses } = await client.send(fetch, 4, fetchFrom(2 * round))
      const { records } = responses[0]!.partitions[0]!
      expect(records!.includes(value(round))).toBe(true)
      expect([...splitBatches(records!)].every((batch) => batch.isCrcValid())).toBe(true)
    }
  })

  it('appends pipelined produce requests in order and answers in order', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        client.send(produce, 7, produceOf(batchOf(`value ${index}`))),
      ),
    )
    const offsets = answers.map(({ responses }) => responses[0]!.partitionResponses[0]!.baseOffset)
    expect(offsets).toEqual(Array.from({ length: 200 }, (_, index) => index))
  })

  it('does not let a request overtake a long poll', async () => {
    let polled = false
    const poll = client.send(fetch, 11, fetchFrom(0, { maxWaitMs: 5000 })).then(() => {
      polled = true
    })
    const after = client.send(apiVersions, 0, {}).then(() => polled)
    await settle()
    expect(polled).toBe(false)
    broker.clock.advance(5000)
    await poll
    expect(await after).toBe(true)
  })

  it('ends a long poll only when there are enough bytes', async () => {
    const other = await broker.client()
    let polled = false
    const minBytes = batchOf('first').length + 1
    const poll = other
      .send(fetch, 11, fetchFrom(0, { maxWaitMs: 5000, minBytes }))
      .then((answer) => {
        polled = true
        return answer
      })
    await client.send(produce, 7, produceOf(batchOf('first')))
    await settle()
    expect(polled).toBe(false)
    await client.send(produce, 7, produceOf(batchOf('other')))
    expect(recordsIn(await poll)).toBe(2)
  })

  it('returns the first batch whole, whatever the limit', async () => {
    await client.send(produce, 7, produceOf(batchOf('x'.repeat(5000))))
    const request = fetchFrom(0)
    request.maxBytes = 10
    request.topics[0]!.partitions[0]!.partitionMaxBytes = 10
    expect(recordsIn(await client.send(fetch, 11, request))).toBe(1)
  })

  it('answers an offset out of range immediately', async () => {
    const answer = await client.send(fetch, 11, fetchFrom(77, { maxWaitMs: 60_000 }))
    expect(answer.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.offsetOutOfRange)
  })

  it('sends no response to acks=0, and serves the next request', async () => {
    client.sendOnly(produce, 7, produceOf(batchOf('silent'), 0))
    await client.send(apiVersions, 0, {})
    expect(recordsIn(await client.send(fetch, 11, fetchFrom(0)))).toBe(1)
  })

  it('closes the connection of a producer with acks=0 after an error', async () => {
    const request = produceOf(batchOf('x'), 0)
    request.topicData[0]!.name = 'nowhere'
    client.sendOnly(produce, 7, request)
    await client.closed
  })

  it('answers an unknown version of ApiVersions in version 0, with the supported versions', async () => {
    const answer = client.expectAnswer(apiVersions, 0)
    client.write(Buffer.from([0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 9, 0xff, 0xff, 0]))
    const { errorCode, apiKeys } = await answer
    expect(errorCode).toBe(ErrorCode.unsupportedVersion)
    expect(apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  })

  it.each([
    ['an unknown API', [0, 0, 0, 10, 3, 231, 0, 0, 0, 0, 0, 1, 0xff, 0xff]],
    ['a version that is not served', [0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff]],
    ['a version of long ago', [0, 0, 0, 10, 0, 1, 0, 3, 0, 0, 0, 1, 0xff, 0xff]],
    ['a negative version', [0, 0, 0, 10, 0, 3, 0x80, 0, 0, 0, 0, 1, 0xff, 0xff]],
    ['a negative length', [0xff, 0xff, 0xff, 0xff]],
    ['a length over the limit', [0x7f, 0xff, 0xff, 0xff]],
    ['an empty frame', [0, 0, 0, 0]],
    [
      'an array longer than the request',
      [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
    ],
    ['HTTP', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
  ])('closes the connection after %s, with a reason in the log', async (_, bytes) => {
    client.write(Buffer.from(bytes))
    await client.closed
    expect(broker.logger.lines.at(-1)).toMatchObject({
      level: 'warn',
      message: 'disconnecting client',
    })
    const next = await broker.client()
    await next.send(apiVersions, 0, {})
  })

  it('closes idle connections, and no others', async () => {
    const idle = await broker.client()
    await idle.send(apiVersions, 0, {})
    broker.clock.advance(400_000)
    await client.send(apiVersions, 0, {})
    broker.clock.advance(300_000)
    await idle.closed
    await client.send(apiVersions, 0, {})
  })

  it('pauses a client above the limit of outstanding bytes, and loses nothing', async () => {
    const poll = client.send(fetch, 11, fetchFrom(0, { maxWaitMs: 5000 }))
    const sent = Array.from({ length: 100 }, () =>
      client.send(produce, 7, produceOf(batchOf('x'.repeat(10_000)))),
    )
    await settle()
    broker.clock.advance(5000)
    await poll
    const answers = await Promise.all(sent)
    const last = answers.at(-1)!.responses[0]!.partitionResponses[0]!
    expect(last).toMatchObject({ errorCode: ErrorCode.none, baseOffset: 99 })
  })

  it('ends long polls and closes when the broker stops', async () => {
    const poll = client.send(fetch, 11, fetchFrom(0, { maxWaitMs: 60_000 }))
    await settle()
    const closing = broker.broker.close()
    expect(recordsIn(await poll)).toBe(0)
    await closing
  })
})
