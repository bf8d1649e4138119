// Consumer groups of KIP-848 over the wire: the answers to members, and to tools that describe
// groups.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { consumerGroupHeartbeat } from '../../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const groupResource = 32
const setOperation = 0

describe('a consumer group', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeAll(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
    await client.send(createTopics, 7, {
      topics: [{ name: 't', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 1000,
    })
  })

  afterAll(() => broker.stop())

  const join = (groupId: string) =>
    client.send(consumerGroupHeartbeat, 1, {
      groupId,
      memberId: 'm',
      memberEpoch: 0,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['t'],
      topicPartitions: [],
    })

  it('can be joined, listed, described and left, and then deleted', async () => {
    const joined = await join('g')
    expect(joined).toMatchObject({ errorCode: 0, memberId: 'm', memberEpoch: 1 })
    expect(joined.heartbeatIntervalMs).toBe(5000)
    const [assigned] = joined.assignment!.topicPartitions
    expect(assigned!.partitions).toEqual([0, 1])
    const listed = await client.send(listGroups, 5, {
      statesFilter: ['stable'],
      typesFilter: ['consumer'],
    })
    expect(listed.groups).toEqual([
      { groupId: 'g', protocolType: 'consumer', groupState: 'Stable', groupType: 'consumer' },
    ])
    const described = await client.send(consumerGroupDescribe, 1, {
      groupIds: ['g', 'nobody'],
      includeAuthorizedOperations: false,
    })
    const has = { topicPartitions: [{ topicName: 't', partitions: [0, 1] }] }
    expect(described.groups).toMatchObject([
      {
        groupState: 'Stable',
        groupEpoch: 1,
        assignmentEpoch: 1,
        assignorName: 'uniform',
        members: [{ memberId: 'm', memberType: 1, assignment: has, targetAssignment: has }],
      },
      {
        groupId: 'nobody',
        errorCode: ErrorCode.groupIdNotFound,
        errorMessage: 'Group nobody not found.',
      },
    ])
    const remove = () => client.send(deleteGroups, 2, { groupsNames: ['g'] })
    expect((await remove()).results[0]!.errorCode).toBe(ErrorCode.nonEmptyGroup)
    const leave = { groupId: 'g', memberId: 'm', memberEpoch: -1 }
    expect(await client.send(consumerGroupHeartbeat, 1, leave)).toMatchObject({ memberEpoch: -1 })
    expect((await remove()).results[0]!.errorCode).toBe(ErrorCode.none)
    const { groups } = await client.send(listGroups, 5, { statesFilter: [], typesFilter: [] })
    expect(groups).toEqual([])
  })

  it('is not found by requests for classic groups', async () => {
    await join('new')
    const ask = { groups: ['new'] }
    const [latest] = (await client.send(describeGroups, 6, ask)).groups
    expect(latest).toMatchObject({ errorCode: ErrorCode.groupIdNotFound, groupState: 'Dead' })
    const [older] = (await client.send(describeGroups, 5, ask)).groups
    expect(older).toMatchObject({ errorCode: ErrorCode.none, groupState: 'Dead' })
  })

  it('is distinguished from a classic group by requests for consumer groups', async () => {
    const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }]
    const topics = [{ name: 't', partitions }]
    await client.send(offsetCommit, 8, { groupId: 'old', memberId: '', topics })
    const ask = { groupIds: ['old'], includeAuthorizedOperations: false }
    expect((await client.send(consumerGroupDescribe, 1, ask)).groups).toMatchObject([
      {
        errorCode: ErrorCode.groupIdNotFound,
        errorMessage: 'Group old is not a consumer group.',
      },
    ])
  })

  it('can have its own session timeout and heartbeat interval', async () => {
    await client.send(incrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: groupResource,
          resourceName: 'calm',
          configs: [
            {
              name: 'consumer.heartbeat.interval.ms',
              configOperation: setOperation,
              value: '7000',
            },
          ],
        },
      ],
      validateOnly: false,
    })
    expect((await join('calm')).heartbeatIntervalMs).toBe(7000)
    expect((await join('usual')).heartbeatIntervalMs).toBe(5000)
  })
})
