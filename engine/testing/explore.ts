// Runs a user's job through seeded histories of crashes, retries and reorderings, and compares each
// outcome with that of a run without failures. Finds jobs that are not deterministic, and sinks
// that are not idempotent, and reports the shortest history that shows the difference.
//
//   await explore(({ sink }) => buildJob(sink), { orders: rows }, { seeds: 100 })
//
// Each seed divides the input into batches. That history is run twice: calm (without failures), and
// with failures, another order of what may arrive in any order, another clock and other random
// numbers. The outcomes must be equal: states, views batch by batch, sinks. The calm run is also
// compared with a run of everything in a single batch, in whatever must not depend on where batches
// end (see CompareOptions).

import { ambientCalls } from '../../protocol/runtime/seededGlobals.ts'
import { EngineError } from '../engineError.ts'
import { userFrame } from '../userCode.ts'
import type { DifferingHistory } from './differingHistory.ts'
import { calm, drawBatches, drawFaults, type HistoryPlan, plainPlan } from './history.ts'
import { type HistoryEvent, type Outcome, runHistory, type Subject } from './historyRun.ts'
import { hintsOf, historyText } from './historyText.ts'
import { buildJob, type TestedJob, writesNothing } from './jobTest.ts'
import {
  type PartitionCounts,
  type PlacedRecord,
  partitionsOf,
  RecordPlacement,
  type TestRow,
} from './memoryTopics.ts'
import {
  batchingDifferences,
  type CompareOptions,
  type Difference,
  differences,
} from './outcome.ts'
import { shrinkHistory } from './shrinkHistory.ts'
import { type JobShape, shapeOf } from './testCluster.ts'
import { TestSinks } from './testSink.ts'

/**
 * Records by topic. Those of one partition keep their order in every history (but see disorderMs).
 */
export type ExploreInputs = Readonly<Record<string, readonly TestRow[]>>

/** Options of `explore`: which histories are explored, and how they are compared. */
export interface ExploreOptions {
  /**
   * Number of histories, 50 by default; or their seeds: a seed that found a difference finds it
   * again.
   */
  readonly seeds?: number | readonly number[]
  /** Partitions of all topics, or by topic; 2 by default. */
  readonly partitions?: PartitionCounts
  readonly batchIntervalMs?: number
  readonly executors?: number
  readonly startMs?: number
  /** Batches after the last record, so that windows and timers end; 4 by default. */
  readonly drainBatches?: number
  /**
   * Records of a partition with timestamps less than this far apart, in ms, may be reordered, as if
   * producers were late; 0 by default. With a value below a watermark's delay, event time windows
   * must not depend on it.
   */
  readonly disorderMs?: number
  readonly compare?: CompareOptions
}

/** Figures of an exploration that found no difference. */
export interface Exploration {
  readonly histories: number
  /** Batches of all histories, including reruns. */
  readonly batches: number
  /** Faults of all histories. */
  readonly faults: number
}

/** A history with another result. The message describes the whole history. */
export class ExplorationError extends EngineError {
  readonly seed: number
  /** @internal */
  readonly plan: HistoryPlan
  readonly differences: readonly Difference[]
  readonly hints: readonly string[]

  /** @internal */
  constructor(found: DifferingHistory, message: string, hints: readonly string[]) {
    super('TEST_DIFFERS', message)
    this.seed = found.seed
    this.plan = found.plan
    this.differences = found.differences
    this.hints = hints
  }
}

/**
 * Resolves with figures if no history differs. Rejects with an ExplorationError otherwise, and with
 * the EngineError of a job that fails without any fault.
 */
export async function explore(
  job: TestedJob,
  inputs: ExploreInputs,
  options: ExploreOptions = {},
): Promise<Exploration> {
  const explorer = new Explorer(job, inputs, options)
  const { seeds = 50 } = options
  const all = typeof seeds === 'number' ? Array.from({ length: seeds }, (_, at) => at + 1) : seeds
  for (const seed of all) {
    const found = await explorer.tryOne(seed)
    if (found) throw await explorer.story(found)
  }
  return explorer.figures
}

class Explorer {
  readonly figures = { histories: 0, batches: 0, faults: 0 }
  readonly #subject: Subject
  readonly #shape: JobShape
  readonly #compare: CompareOptions
  readonly #disorderMs: number
  #plain: Promise<Outcome> | undefined

  constructor(job: TestedJob, inputs: ExploreInputs, options: ExploreOptions) {
    const { batchIntervalMs = 1000, startMs = Date.UTC(2026, 0, 1) } = options
    const nothing = new TestSinks().context(writesNothing)
    this.#shape = shapeOf(buildJob(job, nothing), batchIntervalMs)
    this.#compare = options.compare ?? {}
    this.#disorderMs = options.disorderMs ?? 0
    const count = (topic: string) => partitionsOf(options.partitions, topic)
    this.#subject = {
      build: (context) => buildJob(job, context),
      records: placed(inputs, count, startMs, this.#shape),
      topics: new Map(this.#shape.topics.map((topic) => [topic, count(topic)])),
      batchIntervalMs,
      executors: options.executors ?? 2,
      startMs,
      drainIntervals: options.drainBatches ?? 4,
    }
  }

  async tryOne(seed: number): Promise<DifferingHistory | undefined> {
    this.#plain ??= this.#runPlain()
    const plain = await this.#plain
    const batches = drawBatches(seed, this.#subject.records, this.#disorderMs)
    const still = await this.#run({ ...plainPlan([]), seed, batches })
    const plan = drawFaults(seed, batches, still.extents)
    const byBatching = this.#batchingDifferences(plain, still)
    if (byBatching.length > 0) {
      return { seed, plan: calm(plan), differences: byBatching, isByBatching: true }
    }
    const found = differences(still, await this.#run(plan), this.#compare)
    this.figures.histories++
    this.figures.faults += plan.faults.length
    return found.length === 0 ? undefined : { seed, plan, differences: found, isByBatching: false }
  }

  /** Returns the smallest history that differs in the same way, with its events. */
  async story(found: DifferingHistory): Promise<ExplorationError> {
    const { isByBatching } = found
    const differ = (plan: HistoryPlan) => this.#differencesOf(plan, isByBatching)
    const plan = await shrinkHistory(
      found.plan,
      async (smaller) => (await differ(smaller)).length > 0,
    )
    // A job with memory of its own may not differ a second time.
    const again = await differ(plan)
    const isUnrepeatable = await this.#isUnrepeatable(plan)
    const smaller = again.length > 0 ? { plan, differences: again } : {}
    const shrunk: DifferingHistory = { ...found, ...smaller, isUnrepeatable }
    const events: HistoryEvent[] = []
    const uses = new Map<string, string>()
    const outcome = await runHistory(this.#subject, shrunk.plan, {
      onEvent: (event) => events.push(event),
      onUse(use) {
        const frame = userFrame(new Error(use))
        if (frame !== undefined) uses.set(`${ambientCalls[use]} at ${frame}`, use)
      },
    })
    const hints = hintsOf(shrunk, outcome, uses)
    const inputs = this.#subject.records.length
    const text = historyText({
      found: shrunk,
      job: this.#shape.name,
      inputs,
      from: found.plan,
      events,
      hints,
    })
    return new ExplorationError(shrunk, text, hints)
  }

  async #differencesOf(plan: HistoryPlan, isByBatching: boolean): Promise<Difference[]> {
    const still = await this.#run(calm(plan))
    if (!isByBatching) return differences(still, await this.#run(plan), this.#compare)
    const records = plan.batches.flatMap((batch) => batch.records)
    const inOrder = [...records].sort((one, other) => one - other)
    return this.#batchingDifferences(await this.#run(plainPlan(inOrder)), still)
  }

  async #isUnrepeatable(plan: HistoryPlan): Promise<boolean> {
    const still = await this.#run(calm(plan))
    return differences(still, await this.#run(calm(plan)), this.#compare).length > 0
  }

  #batchingDifferences(plain: Outcome, still: Outcome): Difference[] {
    return batchingDifferences(plain, still, this.#shape, this.#compare)
  }

  async #runPlain(): Promise<Outcome> {
    const plain = await this.#run(plainPlan(this.#subject.records.map((_, at) => at)))
    if (plain.failure === undefined) return plain
    const message = `the job fails without anything else failing, with all input in one batch: ${plain.failure}`
    throw new EngineError('TEST_INVALID', message)
  }

  async #run(plan: HistoryPlan): Promise<Outcome> {
    const outcome = await runHistory(this.#subject, plan)
    for (const runs of outcome.runs.values()) this.figures.batches += runs
    return outcome
  }
}

/** Topics take turns, so that histories have records of all of them early on. */
function placed(
  inputs: ExploreInputs,
  count: (topic: string) => number,
  startMs: number,
  { topics }: JobShape,
): PlacedRecord[] {
  const placement = new RecordPlacement(count)
  const byTopic = Object.entries(inputs).map(([topic, rows]) => {
    if (!topics.includes(topic)) {
      throw new EngineError(
        'TEST_INVALID',
        `the job reads no topic '${topic}': it reads ${topics.join(', ')}`,
      )
    }
    return rows.map((row) => placement.place(topic, row, startMs))
  })
  const longest = Math.max(0, ...byTopic.map(({ length }) => length))
  return Array.from({ length: longest }, (_, at) =>
    byTopic.flatMap((records) => records[at] ?? []),
  ).flat()
}
