// Configurations of topics, brokers, groups and clients.

import { prepare, run, type Section } from '../section.ts'

const alsoDefault =
  'also names the default behind the value where it comes from another key, as log.retention.hours'
const noQuotas = 'quotas are not served'
const noClientMetrics = 'clients are not asked for their metrics'

const topics: Section = {
  name: 'kafka-configs: topics',
  steps: [
    prepare('kafka-topics --create --topic settings --config max.message.bytes=2000000'),
    run(
      "kafka-configs --alter --entity-type topics --entity-name settings --add-config 'retention.ms=3600000,cleanup.policy=[compact,delete]'",
    ),
    run('kafka-configs --describe --entity-type topics --entity-name settings', {
      note: alsoDefault,
    }),
    run('kafka-configs --describe --topic settings --all', { note: alsoDefault, unordered: true }),
    run(
      'kafka-configs --alter --entity-type topics --entity-name settings --delete-config retention.ms',
    ),
    run(
      'kafka-configs --alter --entity-type topics --entity-name settings --delete-config segment.ms',
    ),
    run(
      'kafka-configs --alter --entity-type topics --entity-name settings --add-config retention.ms=soon',
    ),
    run(
      'kafka-configs --alter --entity-type topics --entity-name settings --add-config nothing.such=1',
    ),
    run(
      'kafka-configs --alter --entity-type topics --entity-name nobody --add-config retention.ms=1',
    ),
    run('kafka-configs --describe --entity-type topics --entity-name nobody'),
    run('kafka-configs --describe --entity-type topics', { note: alsoDefault, unordered: true }),
  ],
}

const brokers: Section = {
  name: 'kafka-configs: brokers',
  steps: [
    run('kafka-configs --describe --entity-type brokers --entity-name 1'),
    run('kafka-configs --describe --entity-type brokers --entity-name 1 --all', {
      unordered: true,
      note: 'lists the options of Millrace: those of Kafka that have an effect here, and its own',
    }),
    run(
      'kafka-configs --alter --entity-type brokers --entity-name 1 --add-config message.max.bytes=2000000',
    ),
    run(
      'kafka-configs --alter --entity-type brokers --entity-default --add-config log.retention.ms=3600000',
    ),
    run('kafka-configs --describe --entity-type brokers --entity-name 1'),
    run('kafka-configs --describe --entity-type brokers --entity-default'),
    run(
      'kafka-configs --alter --entity-type brokers --entity-name 1 --delete-config message.max.bytes',
    ),
    run(
      'kafka-configs --alter --entity-type brokers --entity-default --delete-config log.retention.ms',
    ),
    run('kafka-configs --alter --entity-type brokers --entity-name 1 --add-config node.id=2'),
    run(
      'kafka-configs --alter --entity-type brokers --entity-name 1 --add-config log.retention.ms=soon',
    ),
    run(
      'kafka-configs --alter --entity-type brokers --entity-name 7 --add-config log.retention.ms=1',
    ),
    run('kafka-configs --describe --entity-type brokers --entity-name 7'),
    run('kafka-configs --describe --entity-type brokers'),
    run('kafka-configs --describe --entity-type broker-loggers --entity-name 1', {
      note: 'there is one logger, root',
    }),
    run(
      'kafka-configs --alter --entity-type broker-loggers --entity-name 1 --add-config kafka.server=DEBUG',
      { note: 'refused: there is one logger, root' },
    ),
  ],
}

const others: Section = {
  name: 'kafka-configs: groups, clients, users',
  steps: [
    run(
      'kafka-configs --alter --entity-type groups --entity-name crew --add-config consumer.session.timeout.ms=50000',
    ),
    run('kafka-configs --describe --entity-type groups --entity-name crew', { note: alsoDefault }),
    run('kafka-configs --describe --group crew --all', {
      note: 'has no settings of share groups and streams groups',
      unordered: true,
    }),
    run(
      'kafka-configs --alter --entity-type groups --entity-name crew --add-config consumer.session.timeout.ms=1',
    ),
    run('kafka-configs --describe --entity-type groups', { note: alsoDefault }),
    run(
      'kafka-configs --alter --entity-type groups --entity-name crew --delete-config consumer.session.timeout.ms',
    ),
    run('kafka-configs --describe --entity-type users'),
    run('kafka-configs --describe --entity-type users --entity-name alice'),
    run(
      'kafka-configs --alter --entity-type users --entity-name alice --add-config producer_byte_rate=1024',
      { note: noQuotas },
    ),
    run(
      "kafka-configs --alter --entity-type users --entity-name alice --add-config 'SCRAM-SHA-256=[iterations=8192,password=secret]'",
      { note: 'refused: no listener authenticates yet' },
    ),
    run('kafka-configs --describe --entity-type clients'),
    run(
      'kafka-configs --alter --entity-type clients --entity-default --add-config consumer_byte_rate=1024',
      { note: noQuotas },
    ),
    // Kafka would apply it in the later sections.
    run(
      'kafka-configs --alter --entity-type clients --entity-default --delete-config consumer_byte_rate',
      { note: noQuotas },
    ),
    run('kafka-configs --describe --entity-type ips'),
    run(
      'kafka-configs --alter --entity-type ips --entity-name 127.0.0.1 --add-config connection_creation_rate=10',
      { note: noQuotas },
    ),
    run(
      'kafka-configs --alter --entity-type ips --entity-name 127.0.0.1 --delete-config connection_creation_rate',
      { note: noQuotas },
    ),
    run('kafka-configs --describe --entity-type client-metrics'),
    run(
      'kafka-configs --alter --entity-type client-metrics --entity-name all --add-config interval.ms=1000',
      { note: noClientMetrics },
    ),
  ],
}

const clientMetrics: Section = {
  name: 'kafka-client-metrics',
  steps: [
    run('kafka-client-metrics --list', { note: noClientMetrics }),
    run('kafka-client-metrics --describe', { note: noClientMetrics }),
    run(
      'kafka-client-metrics --alter --name all --metrics org.apache.kafka.producer. --interval 1000',
      { note: noClientMetrics },
    ),
    run('kafka-client-metrics --delete --name all', { note: noClientMetrics }),
  ],
}

export const configSections = [topics, brokers, others, clientMetrics]
