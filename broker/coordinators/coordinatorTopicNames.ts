// The topics of the two coordinators, under Kafka's own names.

export const offsetsTopicName = '__consumer_offsets'
export const transactionStateTopicName = '__transaction_state'
