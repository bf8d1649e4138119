// The cluster, its versions and features, security, and tools for other kinds of brokers.

import { prepare, run, type Section } from '../section.ts'

const fixedLevels = 'refused: the levels of features are those of this version of Millrace'
const noQuorum = 'refused: metadata are kept on the one node, without a quorum'
const noTokens = 'not served; Kafka refuses as well, where no listener authenticates'

const cluster: Section = {
  name: 'kafka-cluster, kafka-broker-api-versions, kafka-features',
  steps: [
    run('kafka-cluster cluster-id'),
    run('kafka-cluster list-endpoints'),
    run('kafka-cluster list-endpoints --include-fenced-brokers'),
    run('kafka-cluster unregister --id 7', { note: 'refused: there are no other brokers' }),
    run('kafka-broker-api-versions', {
      unordered: true,
      note: 'lists what is served: docs/protocol-support.md',
    }),
    run('kafka-features describe', {
      note: 'has no features of share groups and of eligible leader replicas',
    }),
    run('kafka-features upgrade --feature transaction.version=2'),
    run('kafka-features downgrade --feature transaction.version=1', { note: fixedLevels }),
    run('kafka-features upgrade --release-version 4.1 --dry-run', { note: fixedLevels }),
  ],
}

const quorum: Section = {
  name: 'kafka-metadata-quorum',
  steps: [
    run('kafka-metadata-quorum describe --status', { note: noQuorum, measures: true }),
    run('kafka-metadata-quorum describe --replication', { note: noQuorum, measures: true }),
  ],
}

const security: Section = {
  name: 'kafka-acls, kafka-delegation-tokens',
  steps: [
    prepare('kafka-topics --create --topic secret'),
    run('kafka-acls --list'),
    run('kafka-acls --add --allow-principal User:alice --operation Read --topic secret'),
    run('kafka-acls --remove --force --allow-principal User:alice --operation Read --topic secret'),
    run('kafka-delegation-tokens --describe --command-config FILES/empty.properties', {
      note: noTokens,
    }),
    run(
      'kafka-delegation-tokens --create --max-life-time-period -1 --command-config FILES/empty.properties',
      { note: noTokens },
    ),
  ],
  files: { 'empty.properties': '\n' },
}

export const clusterSections = [cluster, quorum, security]
