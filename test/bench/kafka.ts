// Against Apache Kafka, which this starts beside Millrace in its default configuration with a heap
// of 1 GB: the loads of `produce --against` and `fetch --against`, and Kafka's own perf tests
// against both in turns. Kafka acknowledges what its page cache has, Millrace what the disk has
// (flush=group).

import { join } from 'node:path'
import { KafkaPeer, runJava } from '../peers/kafka.ts'
import { fetchAgainst, produceAgainst } from './harness/againstBroker.ts'
import { startBrokerProcess } from './harness/childProcess.ts'
import { median } from './harness/measure.ts'
import { usageOf } from './harness/measuredProcess.ts'
import { portOwner } from './harness/portOwner.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'

export const description = 'ours and real Kafka (needs java and mvn), under many loads'

const rounds = 3
const topic = 'perf-test'
/** The perf tests, with their records per second of --seconds; each run includes Java's start. */
const perfTests = [
  { recordBytes: 100, recordsPerSecond: 600_000 },
  { recordBytes: 1000, recordsPerSecond: 100_000 },
]
type PerfTest = (typeof perfTests)[number]

/** Long enough for any round of a perf test on any machine. */
const perfTimeoutMs = 300_000

/** Peak memory before the first load. */
async function idleMemory(port: number): Promise<number> {
  return ((await usageOf(await portOwner(port)))?.peakBytes ?? 0) / 1e6
}

export async function run(options: BenchOptions): Promise<Row[]> {
  const kafka = await KafkaPeer.start({ directory: join(options.directory, 'kafka') })
  try {
    const against = { host: '127.0.0.1', port: kafka.port }
    return [
      ...(await perfTestRows(options, kafka.port)),
      ...(await produceAgainst(options, against)),
      ...(await fetchAgainst(options, against)),
    ]
  } finally {
    await kafka.stop()
  }
}

/** The perf tests that --only names, by the same rule as for loads. */
async function perfTestRows(
  { directory, seconds, only = '' }: BenchOptions,
  kafkaPort: number,
): Promise<Row[]> {
  const wanted = perfTests.filter((test) => perfTestNames(test).some((name) => name.includes(only)))
  if (wanted.length === 0) return []
  const broker = await startBrokerProcess(join(directory, 'perf-broker'), 'group')
  try {
    const ports = [broker.port, kafkaPort] as const
    const [own, other] = [await idleMemory(broker.port), await idleMemory(kafkaPort)]
    const rows = [row('resident memory, just started', own, 'MB', other)]
    for (const test of wanted) rows.push(...(await perfTest(ports, test, seconds)))
    return rows
  } finally {
    await broker.stop()
  }
}

function perfTestNames({ recordBytes }: PerfTest): [producer: string, consumer: string] {
  return [`kafka-producer-perf-test ${recordBytes} B`, `kafka-consumer-perf-test ${recordBytes} B`]
}

/** Millrace first in `ports`; a new topic for each record size and each round. */
async function perfTest(
  ports: readonly [number, number],
  test: PerfTest,
  seconds: number,
): Promise<Row[]> {
  const { recordBytes } = test
  const records = Math.ceil(test.recordsPerSecond * seconds)
  const produced: ProducerFigures[][] = [[], []]
  const consumed: number[][] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const at of [1, 0]) {
      const name = `${topic}-${recordBytes}-${round}`
      produced[at]!.push(await producerPerformance(ports[at]!, name, recordBytes, records))
      consumed[at]!.push(await consumerPerformance(ports[at]!, name, records))
    }
  }
  const of = (side: number, figure: keyof ProducerFigures) =>
    median(produced[side]!.map((figures) => figures[figure]))
  const [producer, consumer] = perfTestNames(test)
  return [
    row(producer, of(0, 'megabytesPerSecond'), 'MB/s', of(1, 'megabytesPerSecond')),
    row(`${producer}: p99`, of(0, 'p99Ms'), 'ms', of(1, 'p99Ms')),
    row(consumer, median(consumed[0]!), 'MB/s', median(consumed[1]!)),
  ]
}

interface ProducerFigures {
  readonly megabytesPerSecond: number
  readonly p99Ms: number
}

async function producerPerformance(
  port: number,
  name: string,
  recordBytes: number,
  records: number,
): Promise<ProducerFigures> {
  const { code, stdout, stderr } = await runJava(
    'org.apache.kafka.tools.ProducerPerformance',
    [
      ...['--topic', name, '--num-records', String(records), '--record-size', String(recordBytes)],
      ...['--throughput', '-1', '--producer-props'],
      ...[`bootstrap.servers=127.0.0.1:${port}`, 'acks=all'],
    ],
    { timeoutMs: perfTimeoutMs },
  )
  // The last line is the summary, with the rate in mebibytes.
  const last = stdout.trim().split('\n').at(-1) ?? ''
  const [, mebibytes] = /\(([\d.]+) MB\/sec\)/.exec(last) ?? []
  const [, p99] = /([\d.]+) ms 99th/.exec(last) ?? []
  if (code !== 0 || mebibytes === undefined || p99 === undefined) {
    throw new Error(`kafka-producer-perf-test failed: ${stdout}${stderr}`)
  }
  return { megabytesPerSecond: Number(mebibytes) * 1.048576, p99Ms: Number(p99) }
}

/** MB/s of the fetches, without the time to join the group. */
async function consumerPerformance(port: number, name: string, records: number): Promise<number> {
  const { code, stdout, stderr } = await runJava(
    'org.apache.kafka.tools.ConsumerPerformance',
    [
      ...['--bootstrap-server', `127.0.0.1:${port}`, '--topic', name],
      ...['--messages', String(records), '--timeout', '30000'],
    ],
    { timeoutMs: perfTimeoutMs },
  )
  const lines = stdout.trim().split('\n')
  const names = lines.find((line) => line.startsWith('start.time'))?.split(', ') ?? []
  const values = lines.at(-1)?.split(', ') ?? []
  const rate = Number(values[names.indexOf('fetch.MB.sec')])
  if (code !== 0 || !(rate > 0)) {
    throw new Error(`kafka-consumer-perf-test failed: ${stdout}${stderr}`)
  }
  return rate * 1.048576
}
