// The options of a job under Spark's key names, as one table: the parser, the errors and the
// documentation are generated from it. Spark's keys that have no meaning here are rejected by name,
// with the reason: a key that is silently ignored would mislead whoever tunes the job.

import { nearestName } from '../../protocol/configuration/nearestName.ts'
import { EngineError } from '../engineError.ts'

export interface RateOption<Value> {
  readonly type: 'boolean' | 'integer' | 'double' | 'string'
  /** Undefined when the default depends on other options; `doc` then says on which. */
  readonly default: Value
  /** Allowed values, as text. */
  readonly bounds: string
  readonly doc: string
  /** Returns the value, or undefined when the text is invalid or out of bounds. */
  readonly parse: (text: string) => Value | undefined
}

const most = Number.MAX_SAFE_INTEGER

export const rateOptions = {
  'spark.streaming.backpressure.enabled': boolean(
    true,
    'Whether the processing rate of past batches limits the next ones. Spark defaults to false.',
  ),
  'spark.streaming.backpressure.initialRate': integer(
    0,
    'Records per second, over all partitions, until a rate has been measured; 0 means no limit.',
  ),
  'spark.streaming.backpressure.rateEstimator': {
    type: 'string',
    default: 'pid',
    bounds: 'pid',
    doc: 'The estimator of the rate; only pid exists.',
    parse: (text: string) => (text === 'pid' ? text : undefined),
  },
  'spark.streaming.backpressure.pid.proportional': double(
    1,
    'Weight of the difference between the last rate and the measured rate.',
  ),
  'spark.streaming.backpressure.pid.integral': double(
    0.2,
    'Weight of the error accumulated as scheduling delay.',
  ),
  'spark.streaming.backpressure.pid.derived': double(0, 'Weight of the change in error.'),
  'spark.streaming.backpressure.pid.minRate': double(
    100,
    'Minimum estimated rate, in records per second over all partitions.',
    Number.MIN_VALUE,
  ),
  'spark.streaming.kafka.maxRatePerPartition': integer(
    0,
    'Maximum records per second read from one partition; 0 means no limit.',
  ),
  'spark.streaming.kafka.minRatePerPartition': integer(
    1,
    'Minimum records per partition in a batch that is limited by the rate.',
  ),
  'millrace.backpressure.targetBatchMs': {
    ...integer(0, 'Target processing time of a batch, in ms.'),
    doc:
      'Target processing time of a batch, in ms: slower batches make the next ones smaller. ' +
      '0 means the batch interval, but at least 5000, because intervals that a batch overruns are merged.',
  },
} as const satisfies Record<string, RateOption<boolean | number | string>>

export type RateConf = {
  readonly [Key in keyof typeof rateOptions]: (typeof rateOptions)[Key] extends RateOption<
    infer Value
  >
    ? Value
    : never
}

/**
 * Keys of Spark that are rejected, each with the reason. A key ending in a dot covers all below it.
 */
export const refusedKeys: readonly (readonly [key: string, reason: string])[] = [
  [
    'spark.streaming.receiver.',
    'topics are read without receivers; limit a partition with spark.streaming.kafka.maxRatePerPartition',
  ],
  [
    'spark.streaming.blockInterval',
    'there are no receivers, and so no blocks; a topic partition is one task',
  ],
  ['spark.streaming.driver.writeAheadLog.', 'the offset log replaces it and is always written'],
  [
    'spark.streaming.concurrentJobs',
    'batches run one at a time, the outputs of a batch concurrently',
  ],
  ['spark.streaming.unpersist', 'RDDs that no window reaches are always dropped'],
  ['spark.streaming.stopGracefullyOnShutdown', 'stop is graceful by default'],
  ['spark.streaming.gracefulStopTimeout', 'set timeoutMs of stop instead'],
  ['spark.streaming.clock', 'tests pass their clock to the job (millrace/engine/testing)'],
  ['spark.streaming.ui.', 'the console shows a fixed number of the newest batches'],
  [
    'spark.streaming.kafka.consumer.',
    'each partition has its own reader; there is no cache to size',
  ],
  ['spark.streaming.kafka.allowNonConsecutiveOffsets', 'gaps in offsets are always allowed'],
  ['spark.streaming.kafka.maxRetries', 'retries of the client are limited by time'],
  ['spark.streaming.checkpoint.', 'a job always has a checkpoint directory (--directory)'],
  ['spark.task.maxFailures', 'the number of attempts of a task is fixed at 4'],
  ['spark.stage.maxConsecutiveAttempts', 'the number of attempts of a stage is fixed at 4'],
  ['spark.speculation', 'slow tasks are limited by taskTimeoutMs; tasks are not run twice'],
  ['spark.locality.', 'executors are threads of one process, so there is no locality'],
  [
    'spark.executor.memory',
    'the heap of an executor is set with --executor-memory (executorMemoryMb)',
  ],
]

/**
 * Returns the values of all options. Throws JOB_OPTION_INVALID for an unknown key or an invalid
 * value.
 */
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
  if (refused !== undefined) return `option ${key} is not supported: ${refused[1]}; remove it`
  const nearest = nearestName(key, Object.keys(rateOptions))
  const meant =
    nearest === undefined
      ? `known options are ${Object.keys(rateOptions).join(', ')}`
      : `did you mean ${nearest}?`
  return `unknown option ${key}: ${meant}`
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
  return { type: 'integer', default: standard, bounds: 'an integer of at least 0', doc, parse }
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
