// What __consumer_offsets holds, in Kafka's own formats, so that Kafka's tools read it: a committed
// offset, or a group with its members, each under a key; a null value removes what is under it.

import {
  decodeGroupRecordKey,
  encodeGroupRecordKey,
  groupMetadataValue,
  offsetCommitValue,
} from '../../protocol/kafka/groupRecords.ts'

export interface CommittedOffset {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
}

export interface GroupMetadataValue {
  readonly protocolType: string
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
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

export type GroupRecord =
  | {
      readonly type: 'offset'
      readonly groupId: string
      readonly topic: string
      readonly partition: number
      readonly value: CommittedOffset | null
    }
  | {
      readonly type: 'group'
      readonly groupId: string
      readonly value: GroupMetadataValue | null
    }

export function encodeGroupRecord(
  record: GroupRecord,
  nowMs: number,
): { key: Buffer; value: Buffer | null } {
  const { groupId: group } = record
  if (record.type === 'offset') {
    const { topic, partition, value } = record
    return {
      key: encodeGroupRecordKey({ type: 'offsetCommit', group, topic, partition }),
      value:
        value && offsetCommitValue.encode({ ...value, commitTimestamp: value.commitTimestampMs }),
    }
  }
  return {
    key: encodeGroupRecordKey({ type: 'groupMetadata', group }),
    value:
      record.value && groupMetadataValue.encode({ ...record.value, currentStateTimestamp: nowMs }),
  }
}

/** Undefined for records of kinds that are not used here. Throws MalformedError. */
export function decodeGroupRecord(keyBytes: Buffer, value: Buffer | null): GroupRecord | undefined {
  const key = decodeGroupRecordKey(keyBytes)
  if (!key) return undefined
  const groupId = key.group
  if (key.type === 'groupMetadata') {
    return { type: 'group', groupId, value: value && decodeGroup(value) }
  }
  const { topic, partition } = key
  return { type: 'offset', groupId, topic, partition, value: value && decodeOffset(value) }
}

function decodeOffset(bytes: Buffer): CommittedOffset {
  const { offset, leaderEpoch, metadata, commitTimestamp } = offsetCommitValue.decode(bytes)
  return { offset, leaderEpoch, metadata, commitTimestampMs: commitTimestamp }
}

function decodeGroup(bytes: Buffer): GroupMetadataValue {
  const value = groupMetadataValue.decode(bytes)
  return {
    ...value,
    // The log's buffer is read in large blocks: what stays for long is copied out of it.
    members: value.members.map((member) => ({
      ...member,
      subscription: Buffer.from(member.subscription),
      assignment: Buffer.from(member.assignment),
    })),
  }
}
