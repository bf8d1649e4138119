// Topics and the placement of their partitions.

import { prepare, run, type Section } from '../section.ts'

const topics: Section = {
  name: 'kafka-topics',
  steps: [
    run(
      'kafka-topics --create --topic orders --partitions 3 --replication-factor 1 --config retention.ms=86400000 --config cleanup.policy=compact,delete',
    ),
    run('kafka-topics --create --topic orders'),
    run('kafka-topics --create --topic orders --if-not-exists'),
    run('kafka-topics --create --topic defaults'),
    run("kafka-topics --create --topic 'no good'"),
    run('kafka-topics --create --topic wide --replication-factor 3'),
    run('kafka-topics --create --topic none --partitions 0'),
    run('kafka-topics --create --topic manual --replica-assignment 1,1'),
    run('kafka-topics --create --topic elsewhere --replica-assignment 1,7'),
    run('kafka-topics --create --topic soon --config retention.ms=soon'),
    run('kafka-topics --create --topic unknown --config nothing.such=1'),
    run('kafka-topics --create --topic with.dot'),
    run('kafka-topics --create --topic with_dot'),
    run('kafka-topics --list'),
    run('kafka-topics --list --exclude-internal'),
    run("kafka-topics --list --topic 'ord.*'"),
    run('kafka-topics --describe', { unordered: true }),
    run('kafka-topics --describe --topic orders'),
    run('kafka-topics --describe --topic-id AAAAAAAAAAAAAAAAAAAAAQ'),
    run('kafka-topics --describe --exclude-internal --partition-size-limit-per-response 2', {
      unordered: true,
    }),
    run('kafka-topics --describe --under-replicated-partitions'),
    run('kafka-topics --describe --under-min-isr-partitions'),
    run('kafka-topics --describe --at-min-isr-partitions', { unordered: true }),
    run('kafka-topics --describe --unavailable-partitions'),
    run('kafka-topics --describe --topics-with-overrides'),
    run('kafka-topics --describe --topic nobody'),
    run('kafka-topics --describe --topic nobody --if-exists'),
    run('kafka-topics --alter --topic orders --partitions 6'),
    run('kafka-topics --describe --topic orders'),
    run('kafka-topics --alter --topic orders --partitions 2'),
    run('kafka-topics --alter --topic orders --partitions 6'),
    run('kafka-topics --alter --topic manual --partitions 3 --replica-assignment 1,1,1'),
    run('kafka-topics --alter --topic manual --partitions 4 --replica-assignment 1,1,1,7'),
    run('kafka-topics --alter --topic nobody --partitions 6'),
    run('kafka-topics --alter --topic nobody --partitions 6 --if-exists'),
    run('kafka-topics --delete --topic manual'),
    run('kafka-topics --delete --topic nobody'),
    run('kafka-topics --delete --topic nobody --if-exists'),
    run("kafka-topics --delete --topic 'with.*'"),
    run('kafka-topics --list'),
  ],
}

const logDirs: Section = {
  name: 'kafka-log-dirs',
  steps: [
    prepare('kafka-topics --create --topic stored --partitions 2'),
    prepare('kafka-get-offsets --topic stored'),
    run('kafka-log-dirs --describe --topic-list stored', { unordered: true }),
    run('kafka-log-dirs --describe --broker-list 1 --topic-list nobody'),
    run('kafka-log-dirs --describe --broker-list 1,7 --topic-list stored'),
  ],
}

const leaderElection: Section = {
  name: 'kafka-leader-election',
  files: {
    'elect.json': JSON.stringify({ partitions: [{ topic: 'elected', partition: 0 }] }),
  },
  steps: [
    prepare('kafka-topics --create --topic elected --partitions 2'),
    run('kafka-leader-election --election-type preferred --topic elected --partition 0'),
    run('kafka-leader-election --election-type unclean --topic elected --partition 0'),
    run('kafka-leader-election --election-type preferred --topic elected --partition 9'),
    run('kafka-leader-election --election-type preferred --topic nobody --partition 0'),
    run('kafka-leader-election --election-type preferred --path-to-json-file FILES/elect.json'),
    run('kafka-leader-election --election-type preferred --all-topic-partitions'),
    run('kafka-leader-election --election-type unclean --all-topic-partitions'),
  ],
}

const assignment = (replicas: readonly number[]) =>
  JSON.stringify({
    version: 1,
    partitions: [{ topic: 'moved', partition: 0, replicas, log_dirs: replicas.map(() => 'any') }],
  })

const reassign: Section = {
  name: 'kafka-reassign-partitions',
  files: {
    'topics.json': JSON.stringify({ version: 1, topics: [{ topic: 'moved' }] }),
    'same.json': assignment([1]),
    'elsewhere.json': assignment([7]),
  },
  steps: [
    prepare('kafka-topics --create --topic moved'),
    run(
      'kafka-reassign-partitions --generate --topics-to-move-json-file FILES/topics.json --broker-list 1',
    ),
    run('kafka-reassign-partitions --execute --reassignment-json-file FILES/same.json'),
    run('kafka-reassign-partitions --verify --reassignment-json-file FILES/same.json'),
    run(
      'kafka-reassign-partitions --execute --reassignment-json-file FILES/same.json --throttle 1000000',
      { note: 'refused: there is no other broker, so nothing to throttle' },
    ),
    run('kafka-reassign-partitions --verify --reassignment-json-file FILES/same.json'),
    run('kafka-reassign-partitions --execute --reassignment-json-file FILES/elsewhere.json'),
    run('kafka-reassign-partitions --cancel --reassignment-json-file FILES/same.json'),
    run('kafka-reassign-partitions --list'),
  ],
}

export const topicSections = [topics, logDirs, leaderElection, reassign]
