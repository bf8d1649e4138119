// The records of consumer groups: byte for byte those of Kafka, and decoded without loss.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ConsumerGroupMember,
  MemberState,
  metadataOf,
  newConsumerMember,
  noAssignmentYet,
} from '../../../../broker/groups/consumer/consumerGroupMember.ts'
import type { ConsumerGroupRecord } from '../../../../broker/groups/consumer/consumerGroupRecords.ts'
import { ConsumerGroupState } from '../../../../broker/groups/consumer/consumerGroupState.ts'
import { fromList } from '../../../../broker/groups/consumer/topicPartitions.ts'
import { decodeGroupRecord, encodeGroupRecord } from '../../../../broker/groups/groupRecords.ts'
import { MalformedError } from '../../../../protocol/bytes/malformed.ts'

const text = fc.string({ maxLength: 12 })
const int32 = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const partitions = fc
  .array(
    fc.record({
      topicId: fc.uuid(),
      partitions: fc.uniqueArray(int32, { minLength: 1, maxLength: 4 }),
    }),
    { maxLength: 3 },
  )
  .map(fromList)
const classic = fc.record({
  sessionTimeoutMs: int32,
  supportedProtocols: fc.array(
    fc.record({
      name: text,
      metadata: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    }),
    { maxLength: 2 },
  ),
})

function record<T extends ConsumerGroupRecord['type'], V, S extends object>(
  type: T,
  value: fc.Arbitrary<V>,
  subject: { [K in keyof S]: fc.Arbitrary<S[K]> },
) {
  return fc.record({
    type: fc.constant(type),
    groupId: text,
    value: nullable(value),
    ...subject,
  }) as unknown as fc.Arbitrary<ConsumerGroupRecord>
}

const records = fc.oneof(
  record(
    'consumerGroupMetadata',
    fc.record({
      epoch: int32,
      metadataHash: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    }),
    {},
  ),
  record(
    'consumerGroupMemberMetadata',
    fc.record({
      instanceId: nullable(text),
      rackId: nullable(text),
      clientId: text,
      clientHost: text,
      subscribedTopicNames: fc.array(text, { maxLength: 3 }),
      subscribedTopicRegex: nullable(text),
      rebalanceTimeoutMs: int32,
      serverAssignor: nullable(text),
      classic: nullable(classic),
    }),
    { memberId: text },
  ),
  record('consumerGroupTargetAssignmentMetadata', fc.record({ assignmentEpoch: int32 }), {}),
  record('consumerGroupTargetAssignmentMember', fc.record({ assigned: partitions }), {
    memberId: text,
  }),
  record(
    'consumerGroupCurrentMemberAssignment',
    fc.record({
      memberEpoch: fc.integer({ min: -2, max: 1000 }),
      previousMemberEpoch: int32,
      state: fc.constantFrom(...Object.values(MemberState)),
      assigned: partitions,
      pendingRevocation: partitions,
    }),
    { memberId: text },
  ),
  record(
    'consumerGroupRegularExpression',
    fc.record({ topics: fc.array(text), version: fc.maxSafeNat(), timestamp: fc.maxSafeNat() }),
    { regularExpression: text },
  ),
)

describe('records of consumer groups', () => {
  it('survive a round trip', () => {
    fc.assert(
      fc.property(records, (record) => {
        const { key, value } = encodeGroupRecord(record, 1)
        expect(decodeGroupRecord(key, value)).toEqual(record)
      }),
    )
  })

  it('have the bytes of Kafka', () => {
    const epoch: ConsumerGroupRecord = {
      type: 'consumerGroupMetadata',
      groupId: 'g',
      value: { epoch: 5, metadataHash: -2n },
    }
    expect(hex(epoch)).toEqual(['0003' + '000167', '0000' + '00000005' + '010008fffffffffffffffe'])
    const topicId = '00000000-0000-0000-0000-000000000001'
    const current: ConsumerGroupRecord = {
      type: 'consumerGroupCurrentMemberAssignment',
      groupId: 'g',
      memberId: 'm',
      value: {
        memberEpoch: 3,
        previousMemberEpoch: 2,
        state: MemberState.unrevokedPartitions,
        assigned: fromList([{ topicId, partitions: [1] }]),
        pendingRevocation: new Map(),
      },
    }
    expect(hex(current)).toEqual([
      '0008' + '000167' + '00016d',
      '0000' +
        '00000003' +
        '00000002' +
        '01' +
        `02${topicId.replaceAll('-', '')}02${'00000001'}00` +
        '01' +
        '00',
    ])
  })

  it('with an unknown member state are malformed', () => {
    const record: ConsumerGroupRecord = {
      type: 'consumerGroupCurrentMemberAssignment',
      groupId: 'g',
      memberId: 'm',
      value: noAssignmentYet,
    }
    const { key, value } = encodeGroupRecord(record, 0)
    value![10] = 77
    expect(() => decodeGroupRecord(key, value)).toThrow(MalformedError)
  })
})

describe('a state restored from records', () => {
  const topicId = '00000000-0000-0000-0000-000000000001'
  const having = (memberId: string, ...partitions: number[]): ConsumerGroupRecord => ({
    type: 'consumerGroupCurrentMemberAssignment',
    groupId: 'g',
    memberId,
    value: { ...noAssignmentYet, assigned: fromList([{ topicId, partitions }]) },
  })

  it('knows the owner of a partition, in whatever order compaction leaves the records', () => {
    const state = new ConsumerGroupState('g')
    state.apply(having('a', 0, 1))
    state.apply(having('b', 1))
    state.apply(having('a', 0))
    expect(state.isOwned(topicId, 1)).toBe(true)
    state.apply(having('b'))
    expect(state.isOwned(topicId, 1)).toBe(false)
    expect(state.isOwned(topicId, 0)).toBe(true)
  })

  it('is restored by its own records, and removed by its tombstones', () => {
    const state = new ConsumerGroupState('g')
    const member: ConsumerGroupMember = { ...newConsumerMember('a'), instanceId: 'i' }
    state.apply({
      type: 'consumerGroupMemberMetadata',
      groupId: 'g',
      memberId: 'a',
      value: metadataOf(member),
    })
    state.apply(having('a', 0, 1))
    state.apply({
      type: 'consumerGroupPartitionMetadata',
      groupId: 'g',
      value: { topics: [] },
    })
    const copy = new ConsumerGroupState('g')
    for (const record of state.records()) copy.apply(record)
    expect(copy.byInstance('i')).toEqual(state.byInstance('i'))
    for (const record of state.tombstones()) state.apply(record)
    expect(state.name).toBe('Empty')
    expect(state.byInstance('i')).toBeUndefined()
    expect(state.isOwned(topicId, 0)).toBe(false)
    expect(state.hasPartitionMetadata).toBe(false)
    expect(state.memberBytes).toBe(0)
  })
})

function hex(record: ConsumerGroupRecord): [string, string] {
  const { key, value } = encodeGroupRecord(record, 0)
  return [key.toString('hex'), value!.toString('hex')]
}
