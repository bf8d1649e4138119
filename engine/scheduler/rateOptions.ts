// The options of a job under Spark's key names, as one table: the parser, the errors and the
// documentation are generated from it. Spark's keys that have no meaning here are rejected by name,
// with the reason: a key that is silently ignored would mislead a user who tunes the job.

import { nearestName } from '../../protocol/configuration/nearestName.ts'
import {
  readTable,
  type TableValues,
  type ValueTable,
} from '../../protocol/configuration/optionTable.ts'
import { EngineError } from '../engineError.ts'

export const rateOptions = {
  'spark.streaming.backpressure.enabled': {
    type: 'boolean',
    default: true,
    doc: 'Whether the processing rate of past batches limits the next ones. Spark defaults to false.',
  },
  'spark.streaming.backpressure.initialRate': {
    type: 'integer',
    default: 0,
    doc: 'Records per second, over all partitions, until a rate has been measured; 0 means no limit.',
  },
  'spark.streaming.backpressure.rateEstimator': {
    type: 'string',
    default: 'pid',
    choices: ['pid'],
    doc: 'The estimator of the rate; only pid exists.',
  },
  'spark.streaming.backpressure.pid.proportional': {
    type: 'double',
    default: 1,
    doc: 'Weight of the difference between the last rate and the measured rate.',
  },
  'spark.streaming.backpressure.pid.integral': {
    type: 'double',
    default: 0.2,
    doc: 'Weight of the error accumulated as scheduling delay.',
  },
  'spark.streaming.backpressure.pid.derived': {
    type: 'double',
    default: 0,
    doc: 'Weight of the change in error.',
  },
  'spark.streaming.backpressure.pid.minRate': {
    type: 'double',
    default: 100,
    above: 0,
    doc: 'Minimum estimated rate, in records per second over all partitions.',
  },
  'spark.streaming.kafka.maxRatePerPartition': {
    type: 'integer',
    default: 0,
    doc: 'Maximum records per second read from one partition; 0 means no limit.',
  },
  'spark.streaming.kafka.minRatePerPartition': {
    type: 'integer',
    default: 1,
    doc: 'Minimum records per partition in a batch that is limited by the rate.',
  },
  'millrace.backpressure.targetBatchMs': {
    type: 'integer',
    default: 0,
    doc:
      'Target processing time of a batch, in ms: slower batches make the next ones smaller. ' +
      '0 means the batch interval, but at least 5000, because intervals that a batch overruns are merged.',
  },
} as const satisfies ValueTable

export type RateConf = TableValues<typeof rateOptions>

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
  const trimmed = Object.entries(conf).map(([key, text]) => [key, text.trim()])
  return readTable(rateOptions, Object.fromEntries(trimmed), {
    unknown(key) {
      throw invalid(unknownKey(key))
    },
    invalid(key, _text, bounds) {
      throw invalid(`${key} is '${conf[key]}': give ${bounds}`)
    },
  })
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
