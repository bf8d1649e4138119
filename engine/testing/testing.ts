/**
 * The test kit of the engine: runs a job without broker, threads or disk, in time that the test
 * controls, through every failure that the test asks for.
 *
 * ```ts
 * import assert from 'node:assert/strict'
 * import { add, job, sum, text } from 'millrace/engine'
 * import { testJob } from 'millrace/engine/testing'
 *
 * const words = job('words', (stream) => {
 *   stream
 *     .fromTopic('lines', text())
 *     .map(({ line }) => [line, 1] as const)
 *     .reduceByKey(sum)
 *     .updateStateByKey(add, { uid: 'totals' })
 *     .view('totals')
 * })
 *
 * const test = await testJob(words)
 * await test.feed('lines', ['to', 'be'])
 * await test.advance(1000)
 * assert.deepEqual(test.view('totals'), [['be', 1], ['to', 1]])
 * await test.stop()
 * ```
 *
 * Unstable: below 1.0, any release may change it.
 *
 * @module engine/testing
 */

export type { ViewRows } from '../lifecycle/jobStatus.ts'
export type { DurableStep } from './durableSteps.ts'
export {
  type Exploration,
  ExplorationError,
  type ExploreInputs,
  type ExploreOptions,
  explore,
} from './explore.ts'
export {
  type JobTest,
  type KillDriverOptions,
  type KillTaskOptions,
  type TestBatch,
  type TestDeadLetter,
  type TestedJob,
  type TestJobOptions,
  type TestOutput,
  testJob,
} from './jobTest.ts'
export type { PartitionCounts, TestRecord, TestRow } from './memoryTopics.ts'
export type { CompareOptions, Difference } from './outcome.ts'
export type { TaskStage } from './testExecutor.ts'
export type { SinkContents, SinkWriter, TestContext, TestSink } from './testSink.ts'
