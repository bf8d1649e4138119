// Options of a job under Spark's key names, as one table: parser, errors and documentation come from it.
// Keys of Spark that have no meaning here are refused by name, with the reason: a job must not seem to be
// tuned by a key that has no effect.

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
    doc: 'Whether the processing rate of batches bounds the next ones. Spark has false here.',
  },
  'spark.streaming.backpressure.initialRate': {
    type: 'integer',
    default: 0,
    doc: 'Records per second, over all partitions, before a rate was measured; 0 for no bound by rate.',
  },
  'spark.streaming.backpressure.rateEstimator': {
    type: 'string',
    default: 'pid',
    choices: ['pid'],
    doc: 'The estimator of the rate. There is one.',
  },
  'spark.streaming.backpressure.pid.proportional': {
    type: 'double',
    default: 1,
    doc: 'Weight of the difference between the last rate and the measured one.',
  },
  'spark.streaming.backpressure.pid.integral': {
    type: 'double',
    default: 0.2,
    doc: 'Weight of the error that has accumulated as scheduling delay.',
  },
  'spark.streaming.backpressure.pid.derived': {
    type: 'double',
    default: 0,
    doc: 'Weight of the change of the error.',
  },
  'spark.streaming.backpressure.pid.minRate': {
    type: 'double',
    default: 100,
    above: 0,
    doc: 'The least rate that is estimated, in records per second over all partitions.',
  },
  'spark.streaming.kafka.maxRatePerPartition': {
    type: 'integer',
    default: 0,
    doc: 'The most records per second that are read from one partition; 0 for no bound.',
  },
  'spark.streaming.kafka.minRatePerPartition': {
    type: 'integer',
    default: 1,
    doc: 'The least records of a partition that a batch is planned with when the rate bounds it.',
  },
  'millrace.backpressure.targetBatchMs': {
    type: 'integer',
    default: 0,
    doc:
      'Processing time of a batch, in ms, that the rate aims at: slower batches make the next ones smaller. ' +
      '0 stands for the batch interval, but at least 5000, because intervals that a batch overruns merge.',
  },
} as const satisfies ValueTable

export type RateConf = TableValues<typeof rateOptions>

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

/** Returns the values of all options. Throws JOB_OPTION_INVALID for a key or a value that cannot be used. */
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
