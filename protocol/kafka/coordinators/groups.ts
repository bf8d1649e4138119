// The embedded messages of the consumer protocol, which the coordinator passes on unread: the
// metadata in JoinGroup and the assignment in SyncGroup, of protocol type 'consumer'.

import { array, bytes, int32, string } from '../schema/fields.ts'
import { VersionedMessage } from '../schema/versionedMessage.ts'

export const consumerProtocolType = 'consumer'

/**
 * Subscription of a member, and (from version 1) its partitions, which cooperative assignors need.
 */
export const consumerProtocolSubscription = new VersionedMessage(
  {
    topics: array('0+', string),
    userData: bytes('0+', { nullable: '0+', default: null }),
    ownedPartitions: array(
      '1+',
      {
        topic: string('1+'),
        partitions: array('1+', int32),
      },
      { ignorable: true },
    ),
    generationId: int32('2+', { default: -1, ignorable: true }),
    rackId: string('3+', { nullable: '3+', default: null, ignorable: true }),
  },
  {
    name: 'ConsumerProtocolSubscription',
    versions: '0-3',
    flexibleFrom: Infinity,
    written: 3,
    readsNewer: true,
  },
)

/** Assignment of a member. */
export const consumerProtocolAssignment = new VersionedMessage(
  {
    assignedPartitions: array('0+', {
      topic: string('0+'),
      partitions: array('0+', int32),
    }),
    userData: bytes('0+', { nullable: '0+', default: null }),
  },
  {
    name: 'ConsumerProtocolAssignment',
    versions: '0-3',
    flexibleFrom: Infinity,
    written: 3,
    readsNewer: true,
  },
)
