// Encodes and decodes the records of consumer groups in __consumer_offsets, in Kafka's formats. A
// null value (a tombstone) removes the record under its key.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import {
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataValue,
  consumerGroupPartitionMetadataValue,
  consumerGroupRegularExpressionValue,
  consumerGroupTargetAssignmentMemberValue,
  consumerGroupTargetAssignmentMetadataValue,
} from '../../../protocol/kafka/coordinators/consumerGroupRecords.ts'
import type { GroupRecordKey } from '../../../protocol/kafka/coordinators/groupRecords.ts'
import {
  type ClassicMemberMetadata,
  type CurrentAssignment,
  type MemberMetadata,
  MemberState,
} from './consumerGroupMember.ts'
import { fromList, type TopicPartitions, toList } from './topicPartitions.ts'

/** The topics that a regular expression matched, at one version of the metadata. */
export interface ResolvedRegularExpression {
  readonly topics: readonly string[]
  readonly version: number
  readonly timestamp: number
}

interface Values {
  consumerGroupMetadata: { readonly epoch: number; readonly metadataHash: bigint }
  /** Written by Kafka before 4.1. Only its existence matters, so that it can be removed. */
  consumerGroupPartitionMetadata: ReturnType<typeof consumerGroupPartitionMetadataValue.decode>
  consumerGroupMemberMetadata: MemberMetadata
  consumerGroupTargetAssignmentMetadata: { readonly assignmentEpoch: number }
  consumerGroupTargetAssignmentMember: { readonly assigned: TopicPartitions }
  consumerGroupCurrentMemberAssignment: CurrentAssignment
  consumerGroupRegularExpression: ResolvedRegularExpression
}

type RecordType = keyof Values
type MemberRecordType =
  | 'consumerGroupMemberMetadata'
  | 'consumerGroupTargetAssignmentMember'
  | 'consumerGroupCurrentMemberAssignment'

interface Subject<Type extends RecordType> {
  readonly type: Type
  readonly groupId: string
  readonly value: Values[Type] | null
}

export type ConsumerGroupRecord = {
  [Type in RecordType]: Subject<Type> &
    (Type extends MemberRecordType
      ? { readonly memberId: string }
      : Type extends 'consumerGroupRegularExpression'
        ? { readonly regularExpression: string }
        : unknown)
}[RecordType]

export type ConsumerGroupRecordKey = Extract<GroupRecordKey, { type: RecordType }>

export function consumerGroupRecordKey(record: ConsumerGroupRecord): ConsumerGroupRecordKey {
  const { type, groupId: group } = record
  if ('memberId' in record) return { type: record.type, group, memberId: record.memberId }
  if (record.type === 'consumerGroupRegularExpression') {
    return { type: record.type, group, regularExpression: record.regularExpression }
  }
  return { type, group } as ConsumerGroupRecordKey
}

export function encodeConsumerGroupValue(record: ConsumerGroupRecord): Buffer | null {
  if (record.value === null) return null
  switch (record.type) {
    case 'consumerGroupMetadata':
      return consumerGroupMetadataValue.encode(record.value)
    case 'consumerGroupPartitionMetadata':
      return consumerGroupPartitionMetadataValue.encode(record.value)
    case 'consumerGroupMemberMetadata':
      return encodeMember(record.value)
    case 'consumerGroupTargetAssignmentMetadata':
      return consumerGroupTargetAssignmentMetadataValue.encode(record.value)
    case 'consumerGroupTargetAssignmentMember':
      return consumerGroupTargetAssignmentMemberValue.encode({
        topicPartitions: toList(record.value.assigned),
      })
    case 'consumerGroupCurrentMemberAssignment':
      return encodeCurrentAssignment(record.value)
    case 'consumerGroupRegularExpression':
      return consumerGroupRegularExpressionValue.encode(record.value)
  }
}

function encodeMember({ classic, ...value }: MemberMetadata): Buffer {
  return consumerGroupMemberMetadataValue.encode({ ...value, classicMemberMetadata: classic })
}

function encodeCurrentAssignment(value: CurrentAssignment): Buffer {
  const { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation } = value
  return consumerGroupCurrentMemberAssignmentValue.encode({
    memberEpoch,
    previousMemberEpoch,
    state,
    assignedPartitions: toList(assigned),
    partitionsPendingRevocation: toList(pendingRevocation),
  })
}

/** Throws MalformedError. */
export function decodeConsumerGroupRecord(
  key: ConsumerGroupRecordKey,
  bytes: Buffer | null,
): ConsumerGroupRecord {
  const { group: groupId, ...subject } = key
  const value = bytes && decodeValue(key.type, bytes)
  // The type of the key determines the type of the value, which the compiler cannot follow.
  return { ...subject, groupId, value } as ConsumerGroupRecord
}

function decodeValue(type: RecordType, bytes: Buffer): Values[RecordType] {
  switch (type) {
    case 'consumerGroupMetadata':
      return consumerGroupMetadataValue.decode(bytes)
    case 'consumerGroupPartitionMetadata':
      return consumerGroupPartitionMetadataValue.decode(bytes)
    case 'consumerGroupMemberMetadata':
      return decodeMember(bytes)
    case 'consumerGroupTargetAssignmentMetadata':
      return consumerGroupTargetAssignmentMetadataValue.decode(bytes)
    case 'consumerGroupTargetAssignmentMember': {
      const { topicPartitions } = consumerGroupTargetAssignmentMemberValue.decode(bytes)
      return { assigned: fromList(topicPartitions) }
    }
    case 'consumerGroupCurrentMemberAssignment':
      return decodeCurrentAssignment(bytes)
    case 'consumerGroupRegularExpression':
      return consumerGroupRegularExpressionValue.decode(bytes)
  }
}

function decodeMember(bytes: Buffer): MemberMetadata {
  const { classicMemberMetadata: classic, ...value } =
    consumerGroupMemberMetadataValue.decode(bytes)
  return { ...value, classic: classic && { ...classic, supportedProtocols: owned(classic) } }
}

/** Copies the metadata: the log is read in large buffers, and the group outlives them. */
function owned({ supportedProtocols }: ClassicMemberMetadata) {
  return supportedProtocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
}

function decodeCurrentAssignment(bytes: Buffer): CurrentAssignment {
  const value = consumerGroupCurrentMemberAssignmentValue.decode(bytes)
  const { memberEpoch, previousMemberEpoch, state } = value
  if (!isMemberState(state))
    throw new MalformedError(`consumer group member state ${state} is not known`)
  return {
    memberEpoch,
    previousMemberEpoch,
    state,
    assigned: fromList(value.assignedPartitions),
    pendingRevocation: fromList(value.partitionsPendingRevocation),
  }
}

function isMemberState(state: number): state is MemberState {
  return (Object.values(MemberState) as number[]).includes(state)
}
