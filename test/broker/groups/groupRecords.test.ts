// The records of __consumer_offsets: byte for byte those of Kafka, and the partition of each group.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  coordinatorPartition,
  javaHashCode,
} from '../../../broker/coordinators/coordinatorPartition.ts'
import { decodeGroupRecord, encodeGroupRecord } from '../../../broker/groups/groupRecords.ts'

const text = fc.string({ maxLength: 20 })
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array))
const int32 = fc.integer({ min: 0, max: 2 ** 31 - 1 })

function nullable<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.option(arbitrary, { nil: null })
}

const offsetRecord = fc.record({
  type: fc.constant('offset' as const),
  groupId: text,
  topic: text,
  partition: int32,
  value: nullable(
    fc.record({
      offset: fc.maxSafeNat(),
      leaderEpoch: fc.integer({ min: -1, max: 1000 }),
      metadata: text,
      commitTimestampMs: fc.maxSafeNat(),
      expireTimestampMs: fc.constant(-1),
    }),
  ),
})

const groupRecord = fc.record({
  type: fc.constant('group' as const),
  groupId: text,
  value: nullable(
    fc.record({
      protocolType: text,
      generation: int32,
      protocol: nullable(text),
      leader: nullable(text),
      currentStateTimestampMs: fc.maxSafeNat(),
      members: fc.array(
        fc.record({
          memberId: text,
          groupInstanceId: nullable(text),
          clientId: text,
          clientHost: text,
          rebalanceTimeout: int32,
          sessionTimeout: int32,
          subscription: bytes,
          assignment: bytes,
        }),
        { maxLength: 4 },
      ),
    }),
  ),
})

describe('group records', () => {
  it('survive a round trip', () => {
    fc.assert(
      fc.property(fc.oneof(offsetRecord, groupRecord), (record) => {
        const { key, value } = encodeGroupRecord(record, 1)
        const decoded = decodeGroupRecord(key, value)
        expect(decoded).toMatchObject(record)
      }),
    )
  })

  it('have the bytes of Kafka', () => {
    const value = {
      offset: 258,
      leaderEpoch: 5,
      metadata: 'm',
      commitTimestampMs: 1,
      expireTimestampMs: -1,
    }
    const record = { type: 'offset', groupId: 'g', topic: 't', partition: 3, value } as const
    const encoded = encodeGroupRecord(record, 0)
    expect(encoded.key.toString('hex')).toBe('000100016700017400000003')
    expect(encoded.value!.toString('hex')).toBe(
      '00030000000000000102' + '00000005' + '00016d' + '0000000000000001',
    )
  })

  it('of offsets with an expiry timestamp have the version with that field', () => {
    const value = {
      offset: 258,
      leaderEpoch: -1,
      metadata: 'm',
      commitTimestampMs: 1,
      expireTimestampMs: 2,
    }
    const record = { type: 'offset', groupId: 'g', topic: 't', partition: 3, value } as const
    const encoded = encodeGroupRecord(record, 0)
    expect(encoded.value!.toString('hex')).toBe(
      '00010000000000000102' + '00016d' + '0000000000000001' + '0000000000000002',
    )
    expect(decodeGroupRecord(encoded.key, encoded.value)).toEqual(record)
  })

  it('of unknown kinds are skipped', () => {
    expect(decodeGroupRecord(Buffer.from([0, 11, 0, 1, 0x67]), null)).toBeUndefined()
  })
})

describe('coordinatorPartition', () => {
  it('hashes as Java does', () => {
    expect(javaHashCode('')).toBe(0)
    expect(javaHashCode('hello')).toBe(99162322)
    expect(javaHashCode('polygenelubricants')).toBe(-(2 ** 31))
  })

  it('is within the topic, also for negative hashes', () => {
    expect(coordinatorPartition('polygenelubricants', 50)).toBe(0)
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 100 }), (groupId, count) => {
        const partition = coordinatorPartition(groupId, count)
        return partition >= 0 && partition < count
      }),
    )
  })
})
