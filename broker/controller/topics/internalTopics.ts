// The topics in which coordinators keep their records, under Kafka's names. Clients may read them.
// A client's request must not create them implicitly, because their configs differ from those of
// other topics.

const internalTopics: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

export function isInternalTopic(name: string): boolean {
  return internalTopics.has(name)
}
