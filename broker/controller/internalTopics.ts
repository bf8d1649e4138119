// The topics that the broker keeps for itself, by Kafka's own names. Clients may read them; they are
// not made because a client mentions them, since their settings are not those of other topics.

const internalTopics: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

export function isInternalTopic(name: string): boolean {
  return internalTopics.has(name)
}
