// Runs and checks one seeded schedule of failures: tasks, executors and the driver die, power
// fails, and map outputs are dropped, while records arrive and time passes.

import { serialize } from 'node:v8'
import type { Task } from '../../../engine/executor/task.ts'
import {
  type BatchExtent,
  drawBatches,
  drawFaults,
  type HistoryPlan,
} from '../../../engine/testing/history.ts'
import { type Outcome, runHistory, type Subject } from '../../../engine/testing/historyRun.ts'
import type { Seams } from '../../../engine/testing/testCluster.ts'
import type { TestWorld } from '../../../engine/testing/testWorld.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { type BegunBatch, everythingOver, wrongWith } from './everything.ts'

/** Approximate size of a batch of the job; a fault beyond this size does not take place. */
const extent: BatchExtent = { steps: 15, launches: 45 }

export interface Schedule {
  readonly plan: HistoryPlan
  readonly outcome: Outcome
  /** The first error in the outcome; undefined if the outcome is correct. */
  readonly wrong: string | undefined
}

type Plant = (world: TestWorld) => Seams

export async function runSchedule(seed: number, seams?: Plant): Promise<Schedule> {
  const random = seededRandom(seed * 4 + 3)
  const goesOnWhileDown = random.below(2) === 0
  const subject: Subject = { ...everythingOver(3 + random.below(6)), goesOnWhileDown, seams }
  const batches = drawBatches(seed, subject.records)
  const extents = batches.map(() => extent)
  const maxShufflePairs = random.below(2) === 0 ? 100 + random.below(60) : undefined
  const plan = { ...drawFaults(seed, batches, extents), maxShufflePairs }
  // Serializing all task results for a comparison takes longer than the tasks, so only some seeds
  // do.
  return await runPlan(subject, plan, seed % 3 === 0)
}

/**
 * Histories in which the driver is killed at a durable step of a batch, and the power fails soon
 * after. They check that everything the second process relies on is durable.
 */
export function* pairsOfFailures(): Generator<HistoryPlan> {
  const subject = everythingOver(4)
  const all = subject.records.map((_, at) => at)
  const batches = [
    { records: all.slice(0, 2), intervals: 1 },
    { records: all.slice(2), intervals: 1 },
  ]
  const others = { otherOrder: false, otherClock: false, otherRandom: false, seed: 0 }
  for (let step = 0; step < 13; step++) {
    for (const write of ['lost', 'kept'] as const) {
      const first = { kind: 'killDriver', batch: 0, step, write, loses: 'process' } as const
      const power = { kind: 'killDriver', write: 'lost', loses: 'power' } as const
      const later = [1, 2, 3, 5, 8, 12].map((after) => ({ ...power, batch: 0, step: step + after }))
      const next = [0, 1, 2].map((nextStep) => ({ ...power, batch: 1, step: nextStep }))
      for (const second of [...later, ...next])
        yield { ...others, batches, faults: [first, second] }
    }
  }
}

export async function runPair(plan: HistoryPlan, seams?: Plant): Promise<Schedule> {
  return await runPlan({ ...everythingOver(4), goesOnWhileDown: false, seams }, plan, false)
}

async function runPlan(
  subject: Subject,
  plan: HistoryPlan,
  comparesBytes: boolean,
): Promise<Schedule> {
  const begun = new Map<number, BegunBatch>()
  const made = new MadeOnce(begun)
  const outcome = await runHistory(subject, plan, {
    onStarted: (batch) => begun.set(batch.batchId, batch),
    ...(comparesBytes && { onResult: (task, value) => made.add(task, value) }),
  })
  const wrong = wrongWith(subject, outcome, [...begun.values()]) ?? made.wrong
  return { plan, outcome, wrong }
}

/** Property P3: every computation of a partition gives the same bytes. */
class MadeOnce {
  wrong: string | undefined
  readonly #begun: ReadonlyMap<number, BegunBatch>
  readonly #made = new Map<string, Buffer>()

  constructor(begun: ReadonlyMap<number, BegunBatch>) {
    this.#begun = begun
  }

  add({ work, partition }: Task, value: unknown): void {
    const id = work.kind === 'map' ? work.shuffleId : `${work.rddId} ${JSON.stringify(work.action)}`
    // A batch may have been planned, lost before its plan was durable, and then planned with other
    // ranges.
    const batch = this.#begun.get(Number(/\d+/.exec(id)![0]))
    const key = `${id} ${partition} ${JSON.stringify(batch)}`
    const bytes = serialize(value)
    const before = this.#made.get(key)
    this.#made.set(key, bytes)
    if (before === undefined || before.equals(bytes)) return
    this.wrong ??= `${id}, partition ${partition}, was made again and came out otherwise`
  }
}
