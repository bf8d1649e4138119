// Options of a job under Spark's key names, as one table: the parser, the errors and the documentation come
// from it. Keys of Spark that have no meaning here are refused by name, with the reason: a job that is tuned
// by a key that nobody reads is tuned by chance.

import { nearestName } from '../../protocol/configuration/nearestName.ts'
import { EngineError } from '../engineError.ts'

export interface RateOption<Value> {
  readonly type: 'boolean' | 'integer' | 'double' | 'string'
  /** Undefined: the doc says what holds then. */
  readonly default: Value
  /** Allowed values, for people. */
  readonly bounds: string
  readonly doc: string
  /** The value, or undefined when the text is not one within the bounds. */
  readonly parse: (text: string) => Value | undefined
}

const most = Number.MAX_SAFE_INTEGER

export const rateOptions = {
  'spark.streaming.backpressure.enabled': boolean(
    true,
    'Whether the processing rate of batches bounds the next ones. Spark has false here.',
  ),
  'spark.streaming.backpressure.initialRate': integer(
    0,
    'Records per second, over all partitions, before a rate was measured; 0 for no bound by rate.',
  ),
  'spark.streaming.backpressure.rateEstimator': {
    type: 'string',
    default: 'pid',
    bounds: 'pid',
    doc: 'The estimator of the rate. There is one.',
    parse: (text: string) => (text === 'pid' ? text : undefined),
  },
  'spark.streaming.backpressure.pid.proportional': double(
    1,
    'Weight of the difference between the last rate and the measured one.',
  ),
  'spark.streaming.backpressure.pid.integral': double(
    0.2,
    'Weight of the error that has accumulated as scheduling delay.',
  ),
  'spark.streaming.backpressure.pid.derived': double(0, 'Weight of the change of the error.'),
  'spark.streaming.backpressure.pid.minRate': double(
    100,
    'The least rate that is estimated, in records per second over all partitions.',
    Number.MIN_VALUE,
  ),
  'spark.streaming.kafka.maxRatePerPartition': integer(
    0,
    'The most records per second that are read from one partition; 0 for no bound.',
  ),
  'spark.streaming.kafka.minRatePerPartition': integer(
    1,
    'The least records of a partition that a batch is planned with when the rate bounds it.',
  ),
  'millrace.backpressure.targetBatchMs': {
    ...integer(0, 'Time that the rate aims at for a batch, in ms; 0 for 5 s or the interval.'),
    doc:
      'Processing time of a batch, in ms, that the rate aims at: slower batches make the next ones smaller. ' +
      '0 stands for the batch interval, but at least 5000, because intervals that a batch overruns merge.',
  },
} as const satisfies Record<string, RateOption<boolean | number | string>>

export type RateConf = {
  readonly [Key in keyof typeof rateOptions]: (typeof rateOptions)[Key] extends RateOption<
    infer Value
  >
    ? Value
    : never
}

/** Keys of Spark, or all below those that end with a dot, that are refused: each with the reason. */
export const refusedKeys: readonly (readonly [key: string, reason: string])[] = [
  [
    'spark.streaming.receiver.',
    'topics are read without receivers; bound a partition with spark.streaming.kafka.maxRatePerPartition',
  ],
  [
    'spark.streaming.blockInterval',
    'there are no receivers that cut blocks; a topic partition is one task',
  ],
  ['spark.streaming.driver.writeAheadLog.', 'the offset log takes its place and is always written'],
  [
    'spark.streaming.concurrentJobs',
    'batches run one after another, the outputs of a batch at the same time',
  ],
  ['spark.streaming.unpersist', 'RDDs that no window reaches are always forgotten'],
  [
    'spark.streaming.stopGracefullyOnShutdown',
    'a stop is graceful unless it is told otherwise (stop)',
  ],
  ['spark.streaming.gracefulStopTimeout', 'the time is an option of the stop itself (timeoutMs)'],
  ['spark.streaming.clock', 'a test hands its clock to the job (millrace/engine/testing)'],
  ['spark.streaming.ui.', 'the console shows the newest batches; their number is fixed'],
  [
    'spark.streaming.kafka.consumer.',
    'readers are kept for each partition, without a cache to size',
  ],
  ['spark.streaming.kafka.allowNonConsecutiveOffsets', 'offsets may always have gaps'],
  ['spark.streaming.kafka.maxRetries', 'retries of the client are bounded by its own times'],
  ['spark.streaming.checkpoint.', 'a job always has a directory for its checkpoint (--directory)'],
  ['spark.task.maxFailures', 'the number of attempts of a task is fixed at 4'],
  ['spark.stage.maxConsecutiveAttempts', 'the number of attempts of a stage is fixed at 4'],
  ['spark.speculation', 'tasks are bounded by taskTimeoutMs instead of being run twice'],
  ['spark.locality.', 'executors are threads of one process: no place is far'],
  [
    'spark.executor.memory',
    'the heap of an executor is set with --executor-memory (executorMemoryMb)',
  ],
]

/** Values of all options. Throws JOB_OPTION_INVALID for a key or a value that cannot be used. */
export function parseRateConf(conf: Readonly<Record<string, string>> = {}): RateConf {
  const values: Record<string, boolean | number | string> = {}
  for (const [key, option] of Object.entries(rateOptions)) values[key] = option.default
  for (const [key, text] of Object.entries(conf)) values[key] = parseOne(key, text)
  return values as unknown as RateConf
}

function parseOne(key: string, text: string): boolean | number | string {
  const options: Readonly<Record<string, RateOption<boolean | number | string>>> = rateOptions
  const option = Object.hasOwn(options, key) ? options[key] : undefined
  if (option === undefined) throw invalid(unknownKey(key))
  const value = option.parse(text.trim())
  if (value === undefined) throw invalid(`${key} is '${text}': give ${option.bounds}`)
  return value
}

function unknownKey(key: string): string {
  const refused = refusedKeys.find(([name]) =>
    name.endsWith('.') ? key.startsWith(name) : key === name || key.startsWith(`${name}.`),
  )
  if (refused !== undefined) return `the option ${key} has no effect here: ${refused[1]}; remove it`
  const nearest = nearestName(key, Object.keys(rateOptions))
  const meant =
    nearest === undefined
      ? `known are ${Object.keys(rateOptions).join(', ')}`
      : `did you mean ${nearest}?`
  return `there is no option ${key}: ${meant}`
}

function invalid(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}

function boolean(standard: boolean, doc: string): RateOption<boolean> {
  const parse = (text: string) => (text === 'true' ? true : text === 'false' ? false : undefined)
  return { type: 'boolean', default: standard, bounds: 'true or false', doc, parse }
}

function integer(standard: number, doc: string): RateOption<number> {
  const parse = (text: string) => {
    const value = Number(text)
    return /^\d+$/.test(text) && value <= most ? value : undefined
  }
  return { type: 'integer', default: standard, bounds: 'a whole number of at least 0', doc, parse }
}

function double(standard: number, doc: string, min = 0): RateOption<number> {
  const parse = (text: string) => {
    const value = Number(text)
    return /^[0-9.]+(e[+-]?\d+)?$/i.test(text) && value >= min && Number.isFinite(value)
      ? value
      : undefined
  }
  const bounds = min === 0 ? 'a number of at least 0' : 'a number above 0'
  return { type: 'double', default: standard, bounds, doc, parse }
}
