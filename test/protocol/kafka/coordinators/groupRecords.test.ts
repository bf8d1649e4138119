import { describe, expect, test } from 'vitest'
import { MalformedError } from '../../../../protocol/bytes/malformed.ts'
import {
  decodeGroupRecordKey,
  encodeGroupRecordKey,
  groupMetadataValue,
  offsetCommitValue,
} from '../../../../protocol/kafka/coordinators/groupRecords.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../../../protocol/kafka/coordinators/groups.ts'

describe('keys of __consumer_offsets', () => {
  const commit = { type: 'offsetCommit', group: 'g', topic: 't', partition: 5 } as const
  const metadata = { type: 'groupMetadata', group: 'g' } as const

  test('begin with the type of the record', () => {
    expect(encodeGroupRecordKey(commit).toString('hex')).toBe('000100016700017400000005')
    expect(encodeGroupRecordKey(metadata).toString('hex')).toBe('0002000167')
  })

  test('decode to what was encoded', () => {
    for (const key of [commit, metadata]) {
      expect(decodeGroupRecordKey(encodeGroupRecordKey(key))).toEqual(key)
    }
  })

  test('of type 0 are legacy offset commits', () => {
    expect(decodeGroupRecordKey(Buffer.from('000000016700017400000005', 'hex'))).toEqual(commit)
  })

  test('of unknown types decode to undefined', () => {
    expect(decodeGroupRecordKey(Buffer.from('000b000167', 'hex'))).toBeUndefined()
  })

  test('that are truncated are malformed', () => {
    const bytes = encodeGroupRecordKey(commit)
    for (let end = 0; end < bytes.length; end++) {
      expect(() => decodeGroupRecordKey(bytes.subarray(0, end))).toThrow(MalformedError)
    }
  })
})

describe('values of __consumer_offsets', () => {
  test('offset commits are written in version 3', () => {
    const value = { offset: 258, metadata: 'm', commitTimestamp: 2 }
    const bytes = offsetCommitValue.encode(value)
    expect(bytes.toString('hex')).toBe('00030000000000000102ffffffff00016d0000000000000002')
    expect(offsetCommitValue.decode(bytes)).toMatchObject({ ...value, leaderEpoch: -1 })
  })

  test('with an expiry time are written in version 1', () => {
    const value = { offset: 1, metadata: '', commitTimestamp: 2, expireTimestamp: 3 }
    expect(offsetCommitValue.decode(offsetCommitValue.encode(value, 1))).toMatchObject(value)
  })

  test('of an unknown version are malformed', () => {
    const bytes = offsetCommitValue.encode({ offset: 1, metadata: '', commitTimestamp: 2 })
    bytes.writeInt16BE(5)
    expect(() => offsetCommitValue.decode(bytes)).toThrow(/unknown version 5, supported are 0 to 4/)
    bytes.writeInt16BE(-1)
    expect(() => offsetCommitValue.decode(bytes)).toThrow(MalformedError)
  })

  test('a group round-trips with its members', () => {
    const value = {
      protocolType: 'consumer',
      generation: 3,
      protocol: 'range',
      leader: 'm-1',
      currentStateTimestamp: 77,
      members: [
        {
          memberId: 'm-1',
          groupInstanceId: null,
          clientId: 'c',
          clientHost: '/127.0.0.1',
          rebalanceTimeout: 1,
          sessionTimeout: 2,
          subscription: Buffer.from('s'),
          assignment: Buffer.from('a'),
        },
      ],
    }
    expect(groupMetadataValue.decode(groupMetadataValue.encode(value))).toEqual(value)
  })
})

describe('embedded messages of the consumer protocol', () => {
  test('a subscription as the oldest clients write it', () => {
    const bytes = Buffer.from('0000' + '00000001' + '000174' + 'ffffffff', 'hex')
    expect(consumerProtocolSubscription.decode(bytes)).toEqual({
      topics: ['t'],
      userData: null,
      ownedPartitions: [],
      generationId: -1,
      rackId: null,
    })
    expect(consumerProtocolSubscription.encode({ topics: ['t'] }, 0)).toEqual(bytes)
  })

  test('of a newer version is decoded as far as it is known', () => {
    const bytes = consumerProtocolSubscription.encode({ topics: ['t'], rackId: 'r' })
    bytes.writeInt16BE(9)
    const longer = Buffer.concat([bytes, Buffer.from('something new')])
    expect(consumerProtocolSubscription.decode(longer)).toMatchObject({
      topics: ['t'],
      rackId: 'r',
    })
  })

  test('an assignment round-trips', () => {
    const value = { assignedPartitions: [{ topic: 't', partitions: [0, 2] }], userData: null }
    expect(consumerProtocolAssignment.decode(consumerProtocolAssignment.encode(value))).toEqual(
      value,
    )
  })
})
