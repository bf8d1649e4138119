// One seeded schedule of failures, run and checked: tasks, executors and the driver die, power fails, map
// outputs are dropped, records arrive and time passes meanwhile.

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

/** About what a batch of the job takes; a fault beyond it does not take place. */
const extent: BatchExtent = { steps: 26, launches: 36 }

export interface Schedule {
  readonly plan: HistoryPlan
  readonly outcome: Outcome
  /** What is wrong with the outcome. */
  readonly wrong: string | undefined
}

export async function runSchedule(
  seed: number,
  seams?: (world: TestWorld) => Seams,
): Promise<Schedule> {
  const random = seededRandom(seed * 4 + 3)
  const subject: Subject = { ...everythingOver(3 + random.below(8)), seams }
  const batches = drawBatches(seed, subject.records)
  const extents = batches.map(() => extent)
  const maxShufflePairs = random.below(2) === 0 ? 100 + random.below(60) : undefined
  const plan = { ...drawFaults(seed, batches, extents), maxShufflePairs }
  const begun = new Map<number, BegunBatch>()
  const made = new MadeOnce(begun)
  const outcome = await runHistory(subject, plan, {
    onStarted: (batch) => begun.set(batch.batchId, batch),
    // To have all that tasks make in bytes takes longer than the tasks.
    ...(seed % 3 === 0 && { onResult: (task, value) => made.add(task, value) }),
  })
  const wrong = wrongWith(subject, outcome, [...begun.values()]) ?? made.wrong
  return { plan, outcome, wrong }
}

/** P3: whatever makes a partition again makes the same bytes. */
class MadeOnce {
  wrong: string | undefined
  readonly #begun: ReadonlyMap<number, BegunBatch>
  readonly #made = new Map<string, Buffer>()

  constructor(begun: ReadonlyMap<number, BegunBatch>) {
    this.#begun = begun
  }

  add({ work, partition }: Task, value: unknown): void {
    const id = work.kind === 'map' ? work.shuffleId : `${work.rddId} ${JSON.stringify(work.action)}`
    // A batch may have been planned, lost before its plan was durable, and planned with other ranges.
    const batch = this.#begun.get(Number(/\d+/.exec(id)![0]))
    const key = `${id} ${partition} ${JSON.stringify(batch)}`
    const bytes = serialize(value)
    const before = this.#made.get(key)
    this.#made.set(key, bytes)
    if (before === undefined || before.equals(bytes)) return
    this.wrong ??= `${id}, partition ${partition}, was made again and came out otherwise`
  }
}
