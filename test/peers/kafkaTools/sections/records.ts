// Producers and consumers of records, offsets, and measurements.

import { prepare, run, type Section } from '../section.ts'

const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at}\n`).join('')
const keyed = '--property parse.key=true --property key.separator=:'

const producer: Section = {
  name: 'kafka-console-producer, kafka-console-consumer',
  steps: [
    prepare('kafka-topics --create --topic lines --partitions 1'),
    prepare('kafka-topics --create --topic keyed --partitions 3'),
    run('kafka-console-producer --topic lines', { input: lines(3) }),
    run('kafka-console-producer --topic lines --request-required-acks 0', { input: lines(3) }),
    run('kafka-console-producer --topic lines --request-required-acks 1 --sync', {
      input: lines(3),
    }),
    ...['gzip', 'snappy', 'lz4', 'zstd'].map((codec) =>
      run(`kafka-console-producer --topic lines --compression-codec ${codec}`, { input: lines(3) }),
    ),
    run('kafka-console-producer --topic lines --producer-property enable.idempotence=false', {
      input: lines(3),
    }),
    run(
      `kafka-console-producer --topic keyed ${keyed} --property parse.headers=true --property null.marker=NULL`,
      { input: 'host:h1\ta:1\nhost:h2\tb:2\nNULL\ta:NULL\n' },
    ),
    run('kafka-console-producer --topic made-by-asking', { input: lines(1) }),
    run("kafka-console-producer --topic 'no good'", { input: lines(1) }),
    run('kafka-console-consumer --topic lines --from-beginning --timeout-ms 5000'),
    run('kafka-console-consumer --topic lines --partition 0 --offset 20 --timeout-ms 5000'),
    run('kafka-console-consumer --topic lines --partition 0 --offset earliest --max-messages 2'),
    run('kafka-console-consumer --topic lines --group readers --from-beginning --max-messages 5'),
    run('kafka-console-consumer --topic lines --group readers --max-messages 5'),
    run(
      'kafka-console-consumer --topic lines --group new-readers --consumer-property group.protocol=consumer --from-beginning --max-messages 5',
    ),
    run(
      'kafka-console-consumer --topic keyed --from-beginning --max-messages 3 --property print.key=true --property print.headers=true --property print.offset=true --property print.partition=true --property print.epoch=true --property print.timestamp=true',
      { unordered: true },
    ),
    run("kafka-console-consumer --include 'line.*' --from-beginning --max-messages 4"),
    run(
      'kafka-console-consumer --topic lines --from-beginning --isolation-level read_committed --max-messages 4',
    ),
    run('kafka-console-consumer --topic lines --partition 0 --offset 1000 --timeout-ms 3000'),
    run(
      'kafka-console-consumer --topic nobody --timeout-ms 3000 --consumer-property allow.auto.create.topics=false',
    ),
    run('kafka-console-consumer --topic keyed --group readers --timeout-ms 3000'),
    run(
      'kafka-console-consumer --topic __consumer_offsets --from-beginning --timeout-ms 10000 --formatter org.apache.kafka.tools.consumer.OffsetsMessageFormatter',
      { measures: true, unordered: true },
    ),
    run(
      'kafka-console-consumer --topic __consumer_offsets --from-beginning --timeout-ms 10000 --formatter org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter',
      {
        measures: true,
        unordered: true,
        note: 'the same but for a record that Kafka writes when a group is only named',
      },
    ),
  ],
}

const offsets: Section = {
  name: 'kafka-get-offsets, kafka-delete-records',
  files: {
    'delete.json': JSON.stringify({
      version: 1,
      partitions: [{ topic: 'measured', partition: 0, offset: 4 }],
    }),
    'too-far.json': JSON.stringify({
      version: 1,
      partitions: [{ topic: 'measured', partition: 0, offset: 1000 }],
    }),
    'all.json': JSON.stringify({
      version: 1,
      partitions: [{ topic: 'measured', partition: 0, offset: -1 }],
    }),
    'nobody.json': JSON.stringify({
      version: 1,
      partitions: [{ topic: 'nobody', partition: 0, offset: 1 }],
    }),
  },
  steps: [
    prepare('kafka-topics --create --topic measured --partitions 2'),
    // The keys determine the partitions.
    prepare(
      `kafka-console-producer --topic measured --sync ${keyed}`,
      lines(10).replaceAll('line', 'a:line'),
    ),
    run('kafka-get-offsets --topic measured', { unordered: true }),
    ...['latest', 'earliest', 'max-timestamp', 'earliest-local', 'latest-tiered', '-4', '0'].map(
      (time) => run(`kafka-get-offsets --topic measured --time ${time}`),
    ),
    run('kafka-get-offsets --topic measured --time 9999999999999'),
    run("kafka-get-offsets --topic-partitions 'measured:0-1,meas.*:1' --exclude-internal-topics"),
    run('kafka-get-offsets --topic nobody'),
    run('kafka-get-offsets --topic measured --partitions 9'),
    run('kafka-delete-records --offset-json-file FILES/delete.json'),
    run('kafka-get-offsets --topic measured --time earliest'),
    run('kafka-delete-records --offset-json-file FILES/too-far.json'),
    run('kafka-delete-records --offset-json-file FILES/all.json'),
    run('kafka-get-offsets --topic measured --time earliest'),
    run('kafka-delete-records --offset-json-file FILES/nobody.json'),
  ],
}

const perf: Section = {
  name: 'kafka-producer-perf-test, kafka-consumer-perf-test, kafka-e2e-latency',
  steps: [
    prepare('kafka-topics --create --topic load --partitions 4'),
    run(
      'kafka-producer-perf-test --topic load --num-records 20000 --record-size 200 --throughput -1 --producer-props bootstrap.servers=BROKER acks=all compression.type=lz4',
      { measures: true },
    ),
    run(
      'kafka-producer-perf-test --topic load --num-records 2000 --record-size 200 --throughput 1000 --transactional-id perf --transaction-duration-ms 200 --producer-props bootstrap.servers=BROKER',
      { measures: true },
    ),
    run(
      'kafka-consumer-perf-test --topic load --messages 20000 --timeout 60000 --show-detailed-stats --reporting-interval 100000',
      { measures: true },
    ),
    run('kafka-consumer-perf-test --topic load --messages 20000 --group perf --timeout 60000', {
      measures: true,
    }),
    run('kafka-e2e-latency BROKER load 100 all 100', { measures: true }),
  ],
}

const verifiable: Section = {
  name: 'kafka-verifiable-producer, kafka-verifiable-consumer',
  steps: [
    prepare('kafka-topics --create --topic verified'),
    run('kafka-verifiable-producer --topic verified --max-messages 5 --acks -1', {
      measures: true,
    }),
    run(
      'kafka-verifiable-consumer --topic verified --group-id verifiers --max-messages 5 --reset-policy earliest',
      { measures: true, unordered: true },
    ),
    run(
      'kafka-verifiable-consumer --topic verified --group-id new-verifiers --group-protocol consumer --max-messages 5 --reset-policy earliest',
      { measures: true, unordered: true },
    ),
  ],
}

export const recordSections = [producer, offsets, perf, verifiable]
