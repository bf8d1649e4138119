// What a plan says of the system `engine`: the job, its input, the broker. Short batches and small
// bounds, so that many of them run and some are split.

import type { BrokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { chance, oneOf, whole } from '../../plan/swarm.ts'
import { drawSceneBroker } from '../scene/sceneBroker.ts'

export const driverHost = 'driver-1'
export const inputTopic = 'lines'

export interface EngineParameters {
  readonly executors: number
  /** Of the topic, and of the job's states and shuffles. */
  readonly topicPartitions: number
  readonly jobPartitions: number
  readonly batchIntervalMs: number
  readonly maxRecordsPerPartition: number
  readonly taskTimeoutMs: number
  /** Limit on the map outputs in memory; what exceeds it is spilled to the disk. */
  readonly maxShuffleBytes: number
  /** Records of each partition, and the mean pause between them. */
  readonly records: number
  readonly thinkMs: number
  readonly broker: Partial<BrokerConfig>
  /**
   * Limit on the time of a batch, above which it is split; absent in most plans. A job that is
   * started in the liveness phase has none: its operator has raised it.
   */
  readonly maxBatchTimeMs?: number
}

export function drawEngineParameters(random: Random): EngineParameters {
  return {
    executors: whole(random, 1, 2),
    topicPartitions: whole(random, 1, 2),
    jobPartitions: whole(random, 1, 3),
    batchIntervalMs: oneOf(random, [50, 100, 300]),
    maxRecordsPerPartition: oneOf(random, [3, 20, 1000]),
    taskTimeoutMs: oneOf(random, [3000, 300_000]),
    maxShuffleBytes: oneOf(random, [1, 2000, 1_000_000]),
    records: whole(random, 10, 60),
    thinkMs: oneOf(random, [5, 20, 60]),
    broker: drawSceneBroker(random.fork('broker')),
    ...drawBatchTime(random.fork('batch time')),
  }
}

/**
 * About what a batch takes, so that many are cancelled after some of their states have advanced.
 */
function drawBatchTime(random: Random): Pick<EngineParameters, 'maxBatchTimeMs'> {
  return chance(random, 0.3) ? { maxBatchTimeMs: oneOf(random, [5, 10, 20, 40]) } : {}
}
