// Encodes and decodes the records of __consumer_offsets, in Kafka's formats, so that Kafka's tools
// can read them: a committed offset, a classic group with its members, or a part of a consumer
// group (consumer/consumerGroupRecords.ts). A null value (a tombstone) removes the record under its
// key.

import {
  decodeGroupRecordKey,
  encodeGroupRecordKey,
  groupMetadataValue,
  offsetCommitValue,
} from '../../protocol/kafka/coordinators/groupRecords.ts'
import {
  type ConsumerGroupRecord,
  consumerGroupRecordKey,
  decodeConsumerGroupRecord,
  encodeConsumerGroupValue,
} from './consumer/consumerGroupRecords.ts'

export interface CommittedOffset {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** Expiry timestamp, if the client set one (before OffsetCommit v5); -1 otherwise. */
  readonly expireTimestampMs: number
}

export interface GroupMetadataValue {
  readonly protocolType: string
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
  /**
   * Wall-clock time of the last change of state; -1 when the record lacks it, and before it is
   * written.
   */
  readonly currentStateTimestampMs: number
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly rebalanceTimeout: number
    readonly sessionTimeout: number
    readonly subscription: Buffer
    readonly assignment: Buffer
  }[]
}

export interface OffsetRecord {
  readonly type: 'offset'
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly value: CommittedOffset | null
}

export interface ClassicGroupRecord {
  readonly type: 'group'
  readonly groupId: string
  readonly value: GroupMetadataValue | null
}

export type GroupRecord = OffsetRecord | ClassicGroupRecord | ConsumerGroupRecord

/** The only version of the value with an expiry timestamp; it has no leader epoch. */
const expiringOffsetVersion = 1

export function encodeGroupRecord(
  record: GroupRecord,
  nowMs: number,
): { key: Buffer; value: Buffer | null } {
  const { groupId: group } = record
  if (record.type === 'offset') {
    const { topic, partition, value } = record
    return {
      key: encodeGroupRecordKey({ type: 'offsetCommit', group, topic, partition }),
      value: value && encodeOffset(value),
    }
  }
  if (record.type === 'group') {
    return {
      key: encodeGroupRecordKey({ type: 'groupMetadata', group }),
      value: record.value && encodeGroup(record.value, nowMs),
    }
  }
  return {
    key: encodeGroupRecordKey(consumerGroupRecordKey(record)),
    value: encodeConsumerGroupValue(record),
  }
}

function encodeOffset(value: CommittedOffset): Buffer {
  const { commitTimestampMs: commitTimestamp, expireTimestampMs: expireTimestamp } = value
  const version = expireTimestamp >= 0 ? expiringOffsetVersion : undefined
  return offsetCommitValue.encode({ ...value, commitTimestamp, expireTimestamp }, version)
}

function encodeGroup(value: GroupMetadataValue, nowMs: number): Buffer {
  const { currentStateTimestampMs: sinceMs } = value
  return groupMetadataValue.encode({
    ...value,
    currentStateTimestamp: sinceMs < 0 ? nowMs : sinceMs,
  })
}

/**
 * Decodes a record. Undefined for kinds of records that this broker does not use. Throws
 * MalformedError.
 */
export function decodeGroupRecord(keyBytes: Buffer, value: Buffer | null): GroupRecord | undefined {
  const key = decodeGroupRecordKey(keyBytes)
  if (!key) return undefined
  const groupId = key.group
  if (key.type === 'groupMetadata') {
    return { type: 'group', groupId, value: value && decodeGroup(value) }
  }
  if (key.type !== 'offsetCommit') return decodeConsumerGroupRecord(key, value)
  const { topic, partition } = key
  return { type: 'offset', groupId, topic, partition, value: value && decodeOffset(value) }
}

function decodeOffset(bytes: Buffer): CommittedOffset {
  const { offset, leaderEpoch, metadata, commitTimestamp, expireTimestamp } =
    offsetCommitValue.decode(bytes)
  return {
    offset,
    leaderEpoch,
    metadata,
    commitTimestampMs: commitTimestamp,
    expireTimestampMs: expireTimestamp,
  }
}

function decodeGroup(bytes: Buffer): GroupMetadataValue {
  const { currentStateTimestamp, ...value } = groupMetadataValue.decode(bytes)
  return {
    ...value,
    currentStateTimestampMs: currentStateTimestamp,
    // Copied: the log is read in large buffers.
    members: value.members.map((member) => ({
      ...member,
      subscription: Buffer.from(member.subscription),
      assignment: Buffer.from(member.assignment),
    })),
  }
}
