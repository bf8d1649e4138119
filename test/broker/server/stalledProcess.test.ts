// A broker whose process was stalled: the requests that clients sent meanwhile are in its sockets,
// and must be handled before any session or transaction expires.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { encodeRequest } from '../../../protocol/kafka/frame.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const stallMs = 30_000

describe('after a stall of the process', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start({
      'group.consumer.session.timeout.ms': 10_000,
      'group.consumer.min.session.timeout.ms': 1000,
    })
    client = await broker.client()
    const counts = { numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }
    await client.send(createTopics, 7, { topics: [{ name: 't', ...counts }], timeoutMs: 1000 })
  })

  afterEach(() => broker.stop())

  /** Stalls the process, handles the requests that were sent meanwhile, and continues. */
  const stall = async () => {
    broker.clock.stall(stallMs)
    await settle()
    await broker.clock.advanceAndSettle(5000)
  }

  it('a classic member whose heartbeat was in the socket is still a member', async () => {
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }]
    const join = {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols,
    }
    const { memberId, generationId } = await client.send(joinGroup, 3, join)
    const member = { groupId: 'g', memberId, generationId }
    await client.send(syncGroup, 1, { ...member, assignments: [] })
    const sent = client.send(heartbeat, 1, member)
    await stall()
    expect(await sent).toMatchObject({ errorCode: ErrorCode.none })
    await broker.clock.advanceAndSettle(10_000)
    expect(await client.send(heartbeat, 1, member)).toMatchObject({
      errorCode: ErrorCode.unknownMemberId,
    })
  })

  it('a member of a consumer group whose heartbeat was in the socket is still a member', async () => {
    const join = {
      groupId: 'g',
      memberId: 'm',
      memberEpoch: 0,
      rebalanceTimeoutMs: 10_000,
      subscribedTopicNames: ['t'],
      topicPartitions: [],
    }
    const { memberEpoch } = await client.send(consumerGroupHeartbeat, 0, join)
    const beat = { groupId: 'g', memberId: 'm', memberEpoch }
    const sent = client.send(consumerGroupHeartbeat, 0, beat)
    await stall()
    expect(await sent).toMatchObject({ errorCode: ErrorCode.none })
    await broker.clock.advanceAndSettle(10_000)
    const late = await client.send(consumerGroupHeartbeat, 0, beat)
    expect(late).toMatchObject({ errorCode: ErrorCode.unknownMemberId })
  })

  it('a transaction whose EndTxn was in the socket is committed', async () => {
    const transactionalId = 'tx'
    const init = await client.send(initProducerId, 4, {
      transactionalId,
      transactionTimeoutMs: 20_000,
    })
    const { producerId, producerEpoch } = init
    const topics = [{ name: 't', partitions: [0] }]
    await client.send(addPartitionsToTxn, 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: topics,
    })
    const sent = client.send(endTxn, 3, {
      transactionalId,
      producerId,
      producerEpoch,
      committed: true,
    })
    await stall()
    expect(await sent).toMatchObject({ errorCode: ErrorCode.none })
  })

  it('a client whose second half of a request was in the socket is answered', async () => {
    const header = { correlationId: 9, clientId: 'half' }
    const topics = { topics: [{ name: 't' }] }
    const frame = Buffer.concat(encodeRequest(metadata, 0, header, topics))
    const answer = client.expectAnswer(metadata, 0)
    client.write(frame.subarray(0, 8))
    await settle()
    client.write(frame.subarray(8))
    broker.clock.stall(35_000)
    await settle()
    expect(await answer).toMatchObject({ topics: [{ name: 't' }] })
  })
})
