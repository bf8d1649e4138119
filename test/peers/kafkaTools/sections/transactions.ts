// Transactions from the outside, with a transaction that hangs because its producer was killed.

import { prepare, run, type Section, start, stop } from '../section.ts'

const transactions: Section = {
  name: 'kafka-transactions',
  steps: [
    prepare('kafka-topics --create --topic paid'),
    prepare(
      'kafka-producer-perf-test --topic paid --num-records 5 --record-size 10 --throughput -1 --transactional-id done --transaction-duration-ms 10000 --producer-props bootstrap.servers=BROKER',
    ),
    start(
      'kafka-producer-perf-test --topic paid --num-records 100000 --record-size 10 --throughput 5 --transactional-id hanging --transaction-duration-ms 1000000 --producer-props bootstrap.servers=BROKER transaction.timeout.ms=900000 linger.ms=0',
      /records sent/,
    ),
    stop('SIGKILL'),
    run('kafka-transactions list', { unordered: true }),
    run('kafka-transactions list --duration-filter 1', { unordered: true }),
    run('kafka-transactions list --transactional-id-pattern han.*'),
    run('kafka-transactions describe --transactional-id done', { measures: true }),
    run('kafka-transactions describe --transactional-id hanging', { measures: true }),
    run('kafka-transactions describe --transactional-id nobody'),
    run('kafka-transactions describe-producers --topic paid --partition 0', {
      measures: true,
      unordered: true,
    }),
    run('kafka-transactions describe-producers --topic paid --partition 0 --broker-id 1', {
      measures: true,
      unordered: true,
    }),
    run('kafka-transactions find-hanging --broker-id 1'),
    run('kafka-transactions find-hanging --broker-id 1 --max-transaction-timeout 0'),
    run('kafka-transactions find-hanging --topic paid --partition 0'),
    run(
      'kafka-console-consumer --topic paid --partition 0 --offset earliest --isolation-level read_committed --timeout-ms 3000',
    ),
    run('kafka-get-offsets --topic paid --time latest', { measures: true }),
    run('kafka-transactions abort --topic paid --partition 0 --start-offset 1'),
    run('kafka-transactions abort --topic paid --partition 0 --start-offset 6'),
    run('kafka-transactions describe-producers --topic paid --partition 0', {
      measures: true,
      unordered: true,
    }),
    run('kafka-transactions describe --transactional-id hanging', { measures: true }),
    run('kafka-transactions forceTerminateTransaction --transactionalId hanging'),
    run('kafka-transactions describe --transactional-id hanging', { measures: true }),
    run('kafka-transactions forceTerminateTransaction --transactionalId nobody'),
    run(
      'kafka-console-consumer --topic paid --partition 0 --offset earliest --isolation-level read_committed --timeout-ms 3000',
    ),
    run(
      'kafka-console-consumer --topic __transaction_state --from-beginning --timeout-ms 10000 --formatter org.apache.kafka.tools.consumer.TransactionLogMessageFormatter',
      {
        measures: true,
        unordered: true,
        note: 'the same records, which here also say previousProducerId when it is the same producer id',
      },
    ),
  ],
}

export const transactionSections = [transactions]
