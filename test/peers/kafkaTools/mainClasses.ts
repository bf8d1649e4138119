// The scripts in Kafka's bin/ directory that concern a running broker, with the main class of each.

const tools = 'org.apache.kafka.tools'

export const mainClasses = {
  'kafka-acls': `${tools}.AclCommand`,
  'kafka-broker-api-versions': `${tools}.BrokerApiVersionsCommand`,
  'kafka-client-metrics': `${tools}.ClientMetricsCommand`,
  'kafka-cluster': `${tools}.ClusterTool`,
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-consumer': `${tools}.consumer.ConsoleConsumer`,
  'kafka-console-producer': `${tools}.ConsoleProducer`,
  'kafka-consumer-groups': `${tools}.consumer.group.ConsumerGroupCommand`,
  'kafka-consumer-perf-test': `${tools}.ConsumerPerformance`,
  'kafka-delegation-tokens': `${tools}.DelegationTokenCommand`,
  'kafka-delete-records': `${tools}.DeleteRecordsCommand`,
  'kafka-dump-log': 'kafka.tools.DumpLogSegments',
  'kafka-e2e-latency': `${tools}.EndToEndLatency`,
  'kafka-features': `${tools}.FeatureCommand`,
  'kafka-get-offsets': `${tools}.GetOffsetShell`,
  'kafka-groups': `${tools}.GroupsCommand`,
  'kafka-leader-election': `${tools}.LeaderElectionCommand`,
  'kafka-log-dirs': `${tools}.LogDirsCommand`,
  'kafka-metadata-quorum': `${tools}.MetadataQuorumCommand`,
  'kafka-producer-perf-test': `${tools}.ProducerPerformance`,
  'kafka-reassign-partitions': `${tools}.reassign.ReassignPartitionsCommand`,
  'kafka-share-groups': `${tools}.consumer.group.ShareGroupCommand`,
  'kafka-streams-application-reset': `${tools}.StreamsResetter`,
  'kafka-streams-groups': `${tools}.streams.StreamsGroupCommand`,
  'kafka-topics': `${tools}.TopicCommand`,
  'kafka-transactions': `${tools}.TransactionsCommand`,
  'kafka-verifiable-consumer': `${tools}.VerifiableConsumer`,
  'kafka-verifiable-producer': `${tools}.VerifiableProducer`,
} as const satisfies Readonly<Record<string, string>>

export type KafkaTool = keyof typeof mainClasses
