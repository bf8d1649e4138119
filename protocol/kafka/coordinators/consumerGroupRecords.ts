// The records of __consumer_offsets for KIP-848 consumer groups, in Kafka's format: a group is
// spread over several records, so that a heartbeat writes only what it changes. A value is the
// latest state of its key; no value means deleted.

import { array, bits64, bytes, int8, int32, int64, string, struct, uuid } from '../schema/fields.ts'
import { Message } from '../schema/schema.ts'
import { VersionedMessage } from '../schema/versionedMessage.ts'

const keyOptions = { versions: '0', flexibleFrom: Infinity, mayBeFollowed: false }
const valueOptions = { versions: '0', flexibleFrom: 0, written: 0, readsNewer: false }

function groupKey(name: string) {
  return new Message({ group: string('0+') }, { name, ...keyOptions })
}

function memberKey(name: string) {
  return new Message({ group: string('0+'), memberId: string('0+') }, { name, ...keyOptions })
}

/** Kafka's number and the key fields of each record type. */
export const consumerGroupKeys = {
  consumerGroupMetadata: { number: 3, message: groupKey('ConsumerGroupMetadataKey') },
  consumerGroupPartitionMetadata: {
    number: 4,
    message: groupKey('ConsumerGroupPartitionMetadataKey'),
  },
  consumerGroupMemberMetadata: { number: 5, message: memberKey('ConsumerGroupMemberMetadataKey') },
  consumerGroupTargetAssignmentMetadata: {
    number: 6,
    message: groupKey('ConsumerGroupTargetAssignmentMetadataKey'),
  },
  consumerGroupTargetAssignmentMember: {
    number: 7,
    message: memberKey('ConsumerGroupTargetAssignmentMemberKey'),
  },
  consumerGroupCurrentMemberAssignment: {
    number: 8,
    message: memberKey('ConsumerGroupCurrentMemberAssignmentKey'),
  },
  consumerGroupRegularExpression: {
    number: 16,
    message: new Message(
      { group: string('0+'), regularExpression: string('0+') },
      { name: 'ConsumerGroupRegularExpressionKey', ...keyOptions },
    ),
  },
} as const

/**
 * Group epoch, and a hash of the subscribed topics: all 64 bits matter, so it is not a number here.
 */
export const consumerGroupMetadataValue = new VersionedMessage(
  { epoch: int32('0+'), metadataHash: bits64('0+', { default: 0n, tag: 0 }) },
  { name: 'ConsumerGroupMetadataValue', ...valueOptions },
)

/** Topics as kept by Kafka before 4.1, which now has a hash. Read, never written. */
export const consumerGroupPartitionMetadataValue = new VersionedMessage(
  {
    topics: array('0+', {
      topicId: uuid('0+'),
      topicName: string('0+'),
      numPartitions: int32('0+'),
      partitionMetadata: array('0+', {
        partition: int32('0+'),
        racks: array('0+', string),
      }),
    }),
  },
  { name: 'ConsumerGroupPartitionMetadataValue', ...valueOptions },
)

/** Metadata of a member, as sent by it. */
export const consumerGroupMemberMetadataValue = new VersionedMessage(
  {
    instanceId: string('0+', { nullable: '0+' }),
    rackId: string('0+', { nullable: '0+' }),
    clientId: string('0+'),
    clientHost: string('0+'),
    subscribedTopicNames: array('0+', string),
    subscribedTopicRegex: string('0+', { nullable: '0+' }),
    rebalanceTimeoutMs: int32('0+', { default: -1 }),
    serverAssignor: string('0+', { nullable: '0+' }),
    classicMemberMetadata: struct(
      '0+',
      {
        sessionTimeoutMs: int32('0+'),
        supportedProtocols: array('0+', { name: string('0+'), metadata: bytes('0+') }),
      },
      { nullable: '0+', default: null, tag: 0 },
    ),
  },
  { name: 'ConsumerGroupMemberMetadataValue', ...valueOptions },
)

/** Group epoch of the target assignment. */
export const consumerGroupTargetAssignmentMetadataValue = new VersionedMessage(
  { assignmentEpoch: int32('0+') },
  { name: 'ConsumerGroupTargetAssignmentMetadataValue', ...valueOptions },
)

const topicPartitions = { topicId: uuid('0+'), partitions: array('0+', int32) }

/** Target assignment of a member. */
export const consumerGroupTargetAssignmentMemberValue = new VersionedMessage(
  { topicPartitions: array('0+', topicPartitions) },
  { name: 'ConsumerGroupTargetAssignmentMemberValue', ...valueOptions },
)

/** Current assignment of a member, and the partitions that it must revoke first. */
export const consumerGroupCurrentMemberAssignmentValue = new VersionedMessage(
  {
    memberEpoch: int32('0+'),
    previousMemberEpoch: int32('0+'),
    state: int8('0+'),
    assignedPartitions: array('0+', topicPartitions),
    partitionsPendingRevocation: array('0+', topicPartitions),
  },
  { name: 'ConsumerGroupCurrentMemberAssignmentValue', ...valueOptions },
)

/** Topics that matched a regular expression, as of a version of the metadata. */
export const consumerGroupRegularExpressionValue = new VersionedMessage(
  { topics: array('0+', string), version: int64('0+'), timestamp: int64('0+') },
  { name: 'ConsumerGroupRegularExpressionValue', ...valueOptions },
)
