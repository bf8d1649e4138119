// The records of __consumer_offsets for classic groups, as Kafka writes them: a key says what a
// record is about, its value the latest state of that; no value means it is gone. The int16 before
// a key is the type of the record, the one before a value its version. The record types of KIP-848
// groups are not read yet; a key of one decodes to undefined.

import { ByteReader } from '../bytes/reader.ts'
import { ByteWriter } from '../bytes/writer.ts'
import { array, bytes, int32, int64, string, uuid } from './fields.ts'
import { Message } from './schema.ts'
import { VersionedMessage } from './versionedMessage.ts'

export type GroupRecordKey =
  | {
      readonly type: 'offsetCommit'
      readonly group: string
      readonly topic: string
      readonly partition: number
    }
  | { readonly type: 'groupMetadata'; readonly group: string }

const keyOptions = { versions: '0', flexibleFrom: Infinity, mayBeFollowed: false }

const offsetCommitKey = new Message(
  { group: string('0+'), topic: string('0+'), partition: int32('0+') },
  { name: 'OffsetCommitKey', ...keyOptions },
)
const groupMetadataKey = new Message(
  { group: string('0+') },
  { name: 'GroupMetadataKey', ...keyOptions },
)

/** Type 0 is how Kafka before 0.9.1 wrote offsetCommit; it is read, and 1 written. */
const keyType = { legacyOffsetCommit: 0, offsetCommit: 1, groupMetadata: 2 } as const

export function encodeGroupRecordKey(key: GroupRecordKey): Buffer {
  const writer = new ByteWriter()
  writer.int16(keyType[key.type])
  if (key.type === 'offsetCommit') offsetCommitKey.encode(writer, key, 0)
  else groupMetadataKey.encode(writer, key, 0)
  return writer.take()
}

/** Undefined for a type of record that is not known: to be skipped. Throws MalformedError. */
export function decodeGroupRecordKey(bytes: Uint8Array): GroupRecordKey | undefined {
  const reader = new ByteReader(bytes)
  switch (reader.int16()) {
    case keyType.legacyOffsetCommit:
    case keyType.offsetCommit:
      return { type: 'offsetCommit', ...offsetCommitKey.decode(reader, 0) }
    case keyType.groupMetadata:
      return { type: 'groupMetadata', ...groupMetadataKey.decode(reader, 0) }
    default:
      return undefined
  }
}

/**
 * The position of a group in a partition. Version 1 is the one that can expire by itself; Kafka
 * writes 3 otherwise, and so do we, so that its tools read our topics.
 */
export const offsetCommitValue = new VersionedMessage(
  {
    offset: int64('0+'),
    leaderEpoch: int32('3+', { default: -1, ignorable: true }),
    metadata: string('0+'),
    commitTimestamp: int64('0+'),
    expireTimestamp: int64('1', { default: -1, ignorable: true }),
    topicId: uuid('4+', { tag: 0, ignorable: true }),
  },
  { name: 'OffsetCommitValue', versions: '0-4', flexibleFrom: 4, written: 3, readsNewer: false },
)

/** A group with its members, as of its last rebalance. */
export const groupMetadataValue = new VersionedMessage(
  {
    protocolType: string('0+'),
    generation: int32('0+'),
    protocol: string('0+', { nullable: '0+' }),
    leader: string('0+', { nullable: '0+' }),
    currentStateTimestamp: int64('2+', { default: -1, ignorable: true }),
    members: array('0+', {
      memberId: string('0+'),
      groupInstanceId: string('3+', { nullable: '3+', default: null, ignorable: true }),
      clientId: string('0+'),
      clientHost: string('0+'),
      rebalanceTimeout: int32('1+', { default: -1, ignorable: true }),
      sessionTimeout: int32('0+'),
      subscription: bytes('0+'),
      assignment: bytes('0+'),
    }),
  },
  { name: 'GroupMetadataValue', versions: '0-4', flexibleFrom: 4, written: 3, readsNewer: false },
)
