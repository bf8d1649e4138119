// Requests with bytes after their last field. Kafka ignores these bytes, and some clients send
// them: librdkafka's Metadata for all topics has three, segmentio's DescribeAcls v3 has one.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addPartitionsToTxn } from '../../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { apiVersions } from '../../../../protocol/kafka/apis/apiVersions.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { apiByKey } from '../../../../protocol/kafka/apis.ts'
import { encodeRequest } from '../../../../protocol/kafka/frame.ts'
import type { Api, RequestInput } from '../../../../protocol/kafka/schema/schema.ts'
import { batchOf, MemoryBroker, type RawClient } from '../memoryBroker.ts'
import { sampleRequests } from '../sampleRequests.ts'

const counted = (api: string) => `millrace_broker_requests_followed_total{api="${api}"}`

function followed<A extends Api>(api: A, version: number, body: RequestInput<A>, tail: Buffer) {
  const header = { correlationId: 1, clientId: 'raw' }
  const frame = Buffer.concat([...encodeRequest(api, version, header, body), tail])
  frame.writeInt32BE(frame.length - 4)
  return frame
}

describe('a request with bytes after its last field', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
  })

  afterEach(() => broker.stop())

  it('is answered byte for byte as librdkafka sends it: Metadata v13 for all topics', async () => {
    const body = Buffer.from('00' + '00000000010000', 'hex')
    const header = Buffer.from('0003000d' + '00000001' + '0003726177', 'hex')
    const length = Buffer.alloc(4)
    length.writeInt32BE(header.length + body.length)
    const answer = client.expectAnswer(metadata, 13)
    client.write(Buffer.concat([length, header, body]))
    expect(await answer).toMatchObject({ errorCode: 0, topics: [] })
    expect(await broker.metric(counted('Metadata'))).toBe(1)
  })

  it('is answered in every API and version, and the next request as well', async () => {
    const { apiKeys } = await client.send(apiVersions, 0, {})
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      const api: Api = apiByKey(apiKey)!
      for (let version = minVersion; version <= maxVersion; version++) {
        const answer = client.expectAnswer(api, version)
        client.write(followed(api, version, sampleRequests[api.name]!(version), Buffer.alloc(7, 1)))
        const outcome = await answer.catch((error: Error) => error)
        expect(outcome, `${api.name} v${version}`).not.toBeInstanceOf(Error)
      }
      expect(await broker.metric(counted(api.name))).toBe(maxVersion - minVersion + 1)
    }
  })

  it('is logged once per API, with the client', async () => {
    for (let sent = 0; sent < 3; sent++) {
      const answer = client.expectAnswer(metadata, 1)
      client.write(followed(metadata, 1, { topics: null }, Buffer.alloc(3)))
      await answer
    }
    const lines = broker.logger.lines.filter(({ message }) => /after its last field/.test(message))
    expect(lines).toHaveLength(1)
    expect(lines[0]!.fields).toMatchObject({ api: 'Metadata', version: 1, bytes: 3 })
  })

  it('counts with its whole frame, and is bounded by socket.request.max.bytes', async () => {
    await broker.stop()
    broker = await MemoryBroker.start({ 'socket.request.max.bytes': 1024 })
    client = await broker.client()
    client.write(followed(metadata, 1, { topics: null }, Buffer.alloc(2048)))
    await client.closed
    expect(broker.logger.lines.map(({ message }) => message)).toContain('disconnecting client')
  })

  it('leaves none of these bytes in a stored record', async () => {
    const request = {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: batchOf('a') }] }],
    }
    await client.send(metadata, 1, { topics: [{ name: 't' }] })
    const answer = client.expectAnswer(produce, 9)
    client.write(followed(produce, 9, request, Buffer.from('tail')))
    expect((await answer).responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0 })
    expect(broker.broker.topics().find(({ name }) => name === 't')!.partitions[0]).toMatchObject({
      sizeBytes: batchOf('a').length,
    })
  })

  it('is not counted without such bytes', async () => {
    await client.send(metadata, 13, { topics: null })
    expect(await broker.metrics.expose()).not.toContain('followed_total{')
    await client.send(addPartitionsToTxn, 5, { transactions: [] })
    expect(await broker.metrics.expose()).not.toContain('followed_total{')
  })
})
