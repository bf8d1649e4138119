// The names of the coordinators' topics, which are Kafka's.

export const offsetsTopicName = '__consumer_offsets'
export const transactionStateTopicName = '__transaction_state'
