// The topics in which coordinators keep their records, under Kafka's names. Clients may read them.
// They must not be created because a client names them, since their configs differ from those of
// other topics.

const internalTopics: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

export function isInternalTopic(name: string): boolean {
  return internalTopics.has(name)
}
