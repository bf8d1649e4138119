// Reused memory: never by two users at a time, never without bound, and never while its bytes are
// still being sent to a client that reads slowly.

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { ReadBuffers } from '../../../../broker/server/memory/readBuffers.ts'
import { fetch } from '../../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import type { ResponseOf } from '../../../../protocol/kafka/schema/schema.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { TestBroker } from '../../../interop/testBroker.ts'
import { batchOf, RawClient } from '../memoryBroker.ts'

const kilobyte = 1024

describe('read buffers', () => {
  it('have one user at a time, are large enough, and are bounded when free', () => {
    const step = fc.record({ length: fc.integer({ min: 1, max: 600 }), back: fc.nat(9) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const maxKeptBytes = 1000 * kilobyte
        const buffers = new ReadBuffers(maxKeptBytes)
        const taken: Buffer[] = []
        for (const { length, back } of steps) {
          const block = buffers.take(length * kilobyte)
          expect(block.length).toBeGreaterThanOrEqual(length * kilobyte)
          expect(block.length).toBeLessThanOrEqual(2 * length * kilobyte + 64 * kilobyte)
          expect(taken.includes(block)).toBe(false)
          taken.push(block)
          if (back < taken.length) buffers.giveBack(taken.splice(back, 1)[0]!)
          expect(buffers.freeBytes).toBeLessThanOrEqual(maxKeptBytes)
        }
      }),
    )
  })

  it('are reused', () => {
    const buffers = new ReadBuffers(1000 * kilobyte)
    const block = buffers.take(300 * kilobyte)
    buffers.giveBack(block)
    expect(buffers.take(200 * kilobyte)).toBe(block)
    expect(buffers.take(200 * kilobyte)).not.toBe(block)
  })
})

describe('answers in reused memory', () => {
  let broker: TestBroker | undefined

  afterEach(() => broker?.stop())

  const connect = async () => {
    const address = { host: '127.0.0.1', port: broker!.port }
    const client = new RawClient(await tcpNetwork.connect(address, 5000))
    // A socket cannot be paused in the turn in which its reading started.
    await settle()
    return client
  }

  it('arrive as they were stored, also at clients that read slowly or disconnect', async () => {
    broker = await TestBroker.start()
    const producer = await connect()
    await producer.send(metadata, 1, { topics: [{ name: 't' }] })
    for (let at = 0; at < 16; at++) {
      const partitionData = [{ index: 0, records: batchOf(String(at % 10).repeat(1_000_000)) }]
      const topicData = [{ name: 't', partitionData }]
      await producer.send(produce, 7, { acks: -1, timeoutMs: 5000, topicData })
    }
    // More than the sockets on the path can buffer.
    const fetchFrom = (client: RawClient, fetchOffset: number) => {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 16_000_000 }]
      const topics = [{ topic: 't', partitions }]
      return client.send(fetch, 11, { maxWaitMs: 0, minBytes: 1, topics })
    }
    const slow = await connect()
    slow.pause()
    const answer = fetchFrom(slow, 0)
    const reader = await connect()
    for (let offset = 1; offset < 8; offset++) {
      const leaver = await connect()
      leaver.pause()
      fetchFrom(leaver, offset).catch(() => undefined)
      expectWhole(await fetchFrom(reader, offset), offset)
      leaver.close()
    }
    slow.resume()
    expectWhole(await answer, 0)
    for (const client of [slow, reader, producer]) client.close()
  })
})

/** Checks that every batch from the offset on arrives as its producer sent it. */
function expectWhole({ responses }: ResponseOf<typeof fetch>, offset: number): void {
  const batches = [...splitBatches(responses[0]!.partitions[0]!.records!)]
  const offsets = batches.map(({ baseOffset }) => baseOffset)
  expect(offsets).toEqual(Array.from(offsets, (_, at) => offset + at))
  expect(offsets.length).toBeGreaterThan(6)
  expect(batches.every((batch) => batch.isCrcValid())).toBe(true)
}
