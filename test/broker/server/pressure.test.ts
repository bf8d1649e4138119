// The memory that clients can make a broker use: requests that are never finished, answers that are
// never read, connections that are never used. Memory stays within its budget, and others are
// served.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BrokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { encodeRequest } from '../../../protocol/kafka/frame.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

const megabyte = 1024 * 1024
const requestBytes = 'millrace_broker_memory_used_bytes{budget="requests"}'
const responseBytes = 'millrace_broker_memory_used_bytes{budget="responses"}'

let broker: MemoryBroker

async function start(config: Partial<BrokerConfig>): Promise<RawClient> {
  broker = await MemoryBroker.start({ 'log.retention.ms': -1, ...config })
  const client = await broker.client()
  await client.send(metadata, 1, { topics: [{ name: 't' }] })
  return client
}

afterEach(() => broker.stop())

function produceOf(bytes: number) {
  const partitionData = [{ index: 0, records: batchOf('x'.repeat(bytes)) }]
  return { acks: -1, timeoutMs: 1000, topicData: [{ name: 't', partitionData }] }
}

function produceFrame(bytes: number): Buffer {
  const header = { correlationId: 0, clientId: null }
  return Buffer.concat(encodeRequest(produce, 7, header, produceOf(bytes)))
}

const wholeLog = {
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 50_000_000,
  topics: [
    { topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000 }] },
  ],
}

function clients(count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => broker.client()))
}

/**
 * Runs the event loop until nothing can proceed. Returns the largest value of the metric meanwhile.
 */
async function peakOf(metric: string, turns: number): Promise<number> {
  let peak = 0
  for (let turn = 0; turn < turns; turn++) {
    peak = Math.max(peak, await broker.metric(metric))
    await settle()
  }
  return peak
}

function closingReasons(): unknown[] {
  const lines = broker.logger.lines.filter(({ level }) => level === 'info')
  return lines.map(({ fields }) => (fields as { reason?: string } | undefined)?.reason)
}

describe('clients that do not read', () => {
  const limit = 8 * megabyte
  let producer: RawClient

  beforeEach(async () => {
    producer = await start({ 'queued.max.response.bytes': limit })
    for (let count = 0; count < 20; count++) await producer.send(produce, 7, produceOf(500_000))
  })

  it('cannot take more than the budget, with 1,000 of them requesting 50 MB', async () => {
    const slow = await clients(1000)
    const answers = slow.map((client) => {
      client.pause()
      const answer = client.send(fetch, 11, wholeLog)
      answer.catch(() => undefined)
      return answer
    })
    expect(await peakOf(responseBytes, 100)).toBeLessThanOrEqual(limit)
    expect(await broker.metric(responseBytes)).toBeGreaterThan(limit / 2)
    await producer.send(produce, 7, produceOf(10))
    const [patient, impatient] = [slow.slice(0, 50), slow.slice(50)]
    for (const client of impatient) client.close()
    for (const client of patient) client.resume()
    for (const { responses } of await Promise.all(answers.slice(0, 50))) {
      expect(responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(500_000)
    }
    expect(await broker.metric(responseBytes)).toBe(0)
  })

  it('are disconnected only when others need their memory', async () => {
    const slow = await clients(30)
    for (const client of slow) {
      client.pause()
      client.send(fetch, 11, wholeLog).catch(() => undefined)
    }
    await settle()
    const reader = await broker.client()
    const waiting = reader.send(fetch, 11, wholeLog)
    for (let turn = 0; turn < 8; turn++) {
      broker.clock.advance(15_000)
      await settle()
    }
    expect((await waiting).responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(500_000)
    expect(closingReasons()).toContain(
      'response unread: the client stopped reading, and memory for responses is exhausted',
    )
  })

  it('keep their connections while no other client needs their memory', async () => {
    const slow = await broker.client()
    slow.pause()
    const answer = slow.send(fetch, 11, wholeLog)
    await settle()
    broker.clock.advance(120_000)
    await settle()
    slow.resume()
    expect((await answer).responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(500_000)
  })

  it('take no memory after they have disconnected', async () => {
    const slow = await clients(50)
    for (const client of slow) {
      client.pause()
      client.send(fetch, 11, wholeLog).catch(() => undefined)
    }
    await settle()
    for (const client of slow) client.close()
    await settle()
    expect(await broker.metric(responseBytes)).toBe(0)
    await producer.send(fetch, 11, wholeLog)
  })
})

describe('clients that do not finish', () => {
  it('take the memory that they have sent, not the length that they announce', async () => {
    await start({ 'queued.max.request.bytes': megabyte })
    for (const client of await clients(200)) client.write(Buffer.from([6, 0, 0, 0, 0, 0, 0, 7]))
    await settle()
    expect(await broker.metric(requestBytes)).toBeLessThan(100_000)
  })

  it('fill at most the budget, and then proceed one at a time', async () => {
    const limit = megabyte
    await start({ 'queued.max.request.bytes': limit })
    const frame = produceFrame(400_000)
    const senders = await clients(20)
    const answers = senders.map((client) => client.expectAnswer(produce, 7))
    const pieceBytes = 20_000
    for (let at = 0; at < frame.length; at += pieceBytes) {
      for (const client of senders) client.write(frame.subarray(at, at + pieceBytes))
      expect(await peakOf(requestBytes, 2)).toBeLessThan(limit + frame.length + 20 * pieceBytes)
    }
    for (const { responses } of await Promise.all(answers)) {
      expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0)
    }
    expect(await broker.metric(requestBytes)).toBe(0)
  })

  it('are disconnected when they stop in the middle of a request, but not when they send slowly', async () => {
    await start({})
    const frame = produceFrame(100)
    const [stopped, slow] = await clients(2)
    const answer = slow!.expectAnswer(produce, 7)
    stopped!.write(frame.subarray(0, 20))
    for (let at = 0; at < frame.length; at += 20) {
      slow!.write(frame.subarray(at, at + 20))
      await settle()
      broker.clock.advance(20_000)
      await settle()
    }
    await stopped!.closed
    expect((await answer).responses[0]!.partitionResponses[0]!.errorCode).toBe(0)
    expect(closingReasons()).toContain('request incomplete: the client stopped sending')
    expect(await broker.metric(requestBytes)).toBe(0)
  })
})

describe('clients beyond the limit', () => {
  it('are refused while the others are served', async () => {
    const first = await start({ 'max.connections': 3 })
    const [second, third] = await clients(2)
    for (const refused of await clients(100)) await refused.closed
    for (const client of [first, second!, third!]) await client.send(apiVersions, 0, {})
    second!.close()
    await settle()
    await (await broker.client()).send(apiVersions, 0, {})
  })
})
