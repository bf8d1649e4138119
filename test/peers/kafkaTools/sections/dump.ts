// Kafka's dump tool on the files of both brokers, written by the same producers.

import { prepare, run, type Section, start, stop } from '../section.ts'

const segment = (partition: string) => `DATA/${partition}/00000000000000000000`
const keyed = '--property parse.key=true --property key.separator=:'

const dump: Section = {
  name: 'kafka-dump-log',
  steps: [
    prepare(
      'kafka-topics --create --topic dumped --config segment.bytes=1048576 --config index.interval.bytes=100',
    ),
    prepare(`kafka-console-producer --topic dumped --sync ${keyed}`, 'a:1\nb:2\n'),
    prepare('kafka-console-producer --topic dumped --compression-codec zstd', 'x\ny\nz\n'),
    prepare(
      'kafka-producer-perf-test --topic dumped --num-records 3 --record-size 10 --throughput 2 --transactional-id dump-commit --transaction-duration-ms 10000 --producer-props bootstrap.servers=BROKER linger.ms=0',
    ),
    start(
      'kafka-producer-perf-test --topic dumped --num-records 100000 --record-size 10 --throughput 5 --transactional-id dump-abort --transaction-duration-ms 1000000 --producer-props bootstrap.servers=BROKER linger.ms=0',
      /records sent/,
    ),
    stop('SIGKILL'),
    prepare('kafka-transactions forceTerminateTransaction --transactionalId dump-abort'),
    prepare(
      'kafka-producer-perf-test --topic dumped --num-records 1500 --record-size 1000 --throughput -1 --producer-props bootstrap.servers=BROKER',
    ),
    prepare(
      'kafka-console-consumer --topic dumped --group dumpers --from-beginning --max-messages 1',
    ),
    run(`kafka-dump-log --files ${segment('dumped-0')}.log`, { measures: true }),
    run(`kafka-dump-log --files ${segment('dumped-0')}.log --print-data-log --max-bytes 600`, {
      measures: true,
    }),
    run(
      `kafka-dump-log --files ${segment('dumped-0')}.log --deep-iteration --skip-record-metadata --max-bytes 600`,
      { measures: true },
    ),
    run(`kafka-dump-log --files ${segment('dumped-0')}.index --index-sanity-check`),
    run(`kafka-dump-log --files ${segment('dumped-0')}.index --verify-index-only`),
    run(`kafka-dump-log --files ${segment('dumped-0')}.timeindex --verify-index-only`),
    run(`kafka-dump-log --files ${segment('dumped-0')}.timeindex --index-sanity-check`),
    run(`kafka-dump-log --files ${segment('dumped-0')}.index`, { measures: true }),
    run(`kafka-dump-log --files ${segment('dumped-0')}.timeindex`, { measures: true }),
    run(`kafka-dump-log --files ${segment('dumped-0')}.txnindex`, { measures: true }),
    run('kafka-dump-log --files DATA/dumped-0/0*.snapshot', { measures: true }),
    run(`kafka-dump-log --files ${segment('__consumer_offsets-42')}.log --offsets-decoder`, {
      measures: true,
      note: 'the same but for a record that Kafka writes when a group is only named',
    }),
    run(
      `kafka-dump-log --files ${segment('__transaction_state-30')}.log --transaction-log-decoder`,
      {
        measures: true,
        note: 'the same records, which here also say previousProducerId when it is the same producer id',
      },
    ),
  ],
}

export const dumpSections = [dump]
