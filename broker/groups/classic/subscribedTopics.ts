// The topics that the members of a classic group consume, where they can be known: subscriptions
// are opaque data for the members' assignor, and only those of consumers have a format that a
// coordinator can read.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import {
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../../../protocol/kafka/coordinators/groups.ts'

/**
 * Returns the topics of all subscriptions. Undefined when the members are not consumers, or when
 * one subscription cannot be decoded: such a member may consume any topic.
 */
export function subscribedTopics(
  protocolType: string | null,
  subscriptions: Iterable<Uint8Array>,
): ReadonlySet<string> | undefined {
  if (protocolType !== consumerProtocolType) return undefined
  const topics = new Set<string>()
  try {
    for (const bytes of subscriptions) for (const topic of topicsOf(bytes)) topics.add(topic)
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
  return topics
}

/** Decodes version 0, with which every version begins: some clients encode the rest incorrectly. */
function topicsOf(bytes: Uint8Array): readonly string[] {
  const reader = new ByteReader(bytes)
  const version = reader.int16()
  if (version < 0) throw new MalformedError(`subscription of version ${version}`)
  return consumerProtocolSubscription.message.decode(reader, 0).topics
}
