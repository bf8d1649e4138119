// The records of __consumer_offsets for KIP-848 consumer groups, as Kafka writes them: a group is
// spread over several, so that a heartbeat writes only what it changes. Each value is the latest
// state of what its key names; no value means that it is gone.

import { array, bits64, bytes, int8, int32, int64, string, struct, uuid } from './fields.ts'
import { Message } from './schema.ts'
import { VersionedMessage } from './versionedMessage.ts'

const keyOptions = { versions: '0', flexibleFrom: Infinity, mayBeFollowed: false }
const valueOptions = { versions: '0', flexibleFrom: 0, written: 0, readsNewer: false }

function groupKey(name: string) {
  return new Message({ group: string('0+') }, { name, ...keyOptions })
}

function memberKey(name: string) {
  return new Message({ group: string('0+'), memberId: string('0+') }, { name, ...keyOptions })
}

/** By the type of record: Kafka's number for it, and the fields of its key. */
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
 * The group's epoch, and a hash of the topics it is subscribed to: 64 bits of which every one
 * counts, so that it is no number here.
 */
export const consumerGroupMetadataValue = new VersionedMessage(
  { epoch: int32('0+'), metadataHash: bits64('0+', { default: 0n, tag: 0 }) },
  { name: 'ConsumerGroupMetadataValue', ...valueOptions },
)

/** What Kafka kept of the topics before 4.1, where the hash now stands. Read, and never written. */
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

/** What a member said of itself. */
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

/** The group epoch for which the target assignment was computed. */
export const consumerGroupTargetAssignmentMetadataValue = new VersionedMessage(
  { assignmentEpoch: int32('0+') },
  { name: 'ConsumerGroupTargetAssignmentMetadataValue', ...valueOptions },
)

const topicPartitions = { topicId: uuid('0+'), partitions: array('0+', int32) }

/** What a member is to have. */
export const consumerGroupTargetAssignmentMemberValue = new VersionedMessage(
  { topicPartitions: array('0+', topicPartitions) },
  { name: 'ConsumerGroupTargetAssignmentMemberValue', ...valueOptions },
)

/** What a member has, and what it must give up first. */
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

/** The topics that a regular expression stood for, as of a version of the metadata. */
export const consumerGroupRegularExpressionValue = new VersionedMessage(
  { topics: array('0+', string), version: int64('0+'), timestamp: int64('0+') },
  { name: 'ConsumerGroupRegularExpressionValue', ...valueOptions },
)
