// The topics that the members of a classic group consume, where they can be known: subscriptions
// are meant for the members' assignor, and only those of consumers have a format that a coordinator
// can read.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import {
  consumerProtocolSubscription,
  consumerProtocolType,
} from '../../../protocol/kafka/groups.ts'

/**
 * The topics of all subscriptions; undefined when the group is not one of consumers, or when one
 * subscription cannot be read: then it may be to any topic.
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

/** Every version begins as version 0 does; some clients encode the rest wrongly. */
function topicsOf(bytes: Uint8Array): readonly string[] {
  const reader = new ByteReader(bytes)
  const version = reader.int16()
  if (version < 0) throw new MalformedError(`subscription of version ${version}`)
  return consumerProtocolSubscription.message.decode(reader, 0).topics
}
