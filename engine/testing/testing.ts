// The test kit of the engine, as 'millrace/engine/testing': runs a user's job with no broker, no threads
// and no disk, in time that the test moves, through every failure that the test asks for.

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
export type { SinkContents, TestContext, TestSink } from './testSink.ts'
