// The keys of __consumer_offsets, and the values for offsets and classic groups, in Kafka's format:
// the key names the subject, the value is its latest state, no value means deleted. The int16
// before a key is the record type, the one before a value its version. Record types of share and
// streams groups are not supported; their keys decode to undefined.

import { ByteReader } from '../../bytes/reader.ts'
import { ByteWriter } from '../../bytes/writer.ts'
import { array, bytes, int32, int64, type OutputOf, string, uuid } from '../schema/fields.ts'
import { Message } from '../schema/schema.ts'
import { VersionedMessage } from '../schema/versionedMessage.ts'
import { consumerGroupKeys } from './consumerGroupRecords.ts'

const keyOptions = { versions: '0', flexibleFrom: Infinity, mayBeFollowed: false }

/** Kafka's number and the key fields of each record type. */
const keys = {
  offsetCommit: {
    number: 1,
    message: new Message(
      { group: string('0+'), topic: string('0+'), partition: int32('0+') },
      { name: 'OffsetCommitKey', ...keyOptions },
    ),
  },
  groupMetadata: {
    number: 2,
    message: new Message({ group: string('0+') }, { name: 'GroupMetadataKey', ...keyOptions }),
  },
  ...consumerGroupKeys,
} as const

type Keys = typeof keys
type KeyFields<Type extends keyof Keys> = Keys[Type]['message'] extends Message<infer F> ? F : never

export type GroupRecordKey = {
  [Type in keyof Keys]: { readonly type: Type } & OutputOf<KeyFields<Type>>
}[keyof Keys]

/** The offsetCommit type of Kafka before 0.9.1; it is read, and 1 is written. */
const legacyOffsetCommit = 0

const typeByNumber = new Map<number, keyof Keys>([
  [legacyOffsetCommit, 'offsetCommit'],
  ...(Object.keys(keys) as (keyof Keys)[]).map((type) => [keys[type].number, type] as const),
])

export function encodeGroupRecordKey(key: GroupRecordKey): Buffer {
  const { number, message } = keys[key.type]
  const writer = new ByteWriter()
  writer.int16(number)
  // The type of the key selects the message; the compiler cannot follow that through a table.
  message.encode(writer, key as never, 0)
  return writer.take()
}

/** Returns undefined for an unknown record type, which is to be skipped. Throws MalformedError. */
export function decodeGroupRecordKey(bytes: Uint8Array): GroupRecordKey | undefined {
  const reader = new ByteReader(bytes)
  const type = typeByNumber.get(reader.int16())
  if (type === undefined) return undefined
  return { type, ...keys[type].message.decode(reader, 0) } as GroupRecordKey
}

/**
 * Committed offset of a group in a partition. Version 1 has an expiry time; otherwise version 3 is
 * written, as by Kafka, so that Kafka's tools can read our topics.
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

/** A group and its members, as of its last rebalance. */
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
