// Whatever fails, in whatever order, a job's result equals that of one thread computing it all:
// random graphs under random schedules of task failures, lost executors and late reports, against
// the local context, which shares no code with the scheduler.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runAction } from '../../../engine/rdd/action.ts'
import { writeBuckets } from '../../../engine/rdd/buckets.ts'
import type { Bucket, TaskContext } from '../../../engine/rdd/lineage.ts'
import { localContext } from '../../../engine/rdd/localContext.ts'
import type { Rdd } from '../../../engine/rdd/rdd.ts'
import { type DagEffect, DagScheduler } from '../../../engine/scheduler/dagScheduler.ts'

type Pairs = Rdd<readonly [number, number]>
type Launch = Extract<DagEffect, { kind: 'launchTask' }>

const executors = 3
const chaosSteps = 60
const steps = ['map', 'reduce', 'group', 'union', 'join', 'mapValues'] as const

const graphs = fc.record({
  numbers: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 25 }),
  partitions: fc.integer({ min: 1, max: 4 }),
  steps: fc.array(fc.constantFrom(...steps), { minLength: 1, maxLength: 5 }),
})

function build({
  numbers,
  partitions,
  steps,
}: typeof graphs extends fc.Arbitrary<infer G> ? G : never) {
  const context = localContext(partitions)
  const source: Pairs = context
    .parallelize(numbers, partitions + 1)
    .map((number) => [number % 7, number] as const)
  let rdd = source
  for (const step of steps) rdd = apply(step, rdd, source)
  return rdd
}

function apply(step: (typeof steps)[number], rdd: Pairs, source: Pairs): Pairs {
  switch (step) {
    case 'map':
      return rdd.map(([key, value]) => [(key * 3 + value) % 5, value] as const)
    case 'mapValues':
      return rdd.mapValues((value) => value + 1)
    case 'reduce':
      return rdd.reduceByKey((left, right) => left + right)
    case 'group':
      // This function is not commutative, so that a changed order of values is detected.
      return rdd
        .groupByKey()
        .mapValues((all) => all.reduce((sum, each) => (sum * 31 + each) % 9973, 7))
    case 'union':
      return rdd.union(source)
    case 'join':
      return rdd
        .reduceByKey(Math.max)
        .join(source.reduceByKey(Math.min))
        .mapValues(([one, other]) => one - other)
  }
}

/** Executors whose map outputs are lost with them; the test picks the next event. */
class Cluster {
  readonly dag = new DagScheduler({
    executorSlots: executors,
    maxTaskFailures: Infinity,
    maxFetchFailures: Infinity,
  })
  /** The current incarnation of each executor that is alive. */
  readonly #alive = new Map<number, number>()
  #lives = 0
  readonly #outputs = new Map<string, { holder: number; buckets: Bucket[] }>()
  /** Tasks that are running, and those whose executor died before their report arrived. */
  #launched: (Launch & { readonly life: number })[] = []
  results: unknown[] | undefined

  handle(...events: Parameters<DagScheduler['handleAll']>[0]): void {
    for (const effect of this.dag.handleAll(events)) {
      if (effect.kind === 'launchTask') {
        this.#launched.push({ ...effect, life: this.#alive.get(effect.executor)! })
      } else if (effect.kind === 'jobFinished') this.results = effect.results
      else throw new Error(`the job failed: ${effect.error.message}`)
    }
  }

  register(executor: number): void {
    if (this.#alive.has(executor)) return
    this.#alive.set(executor, ++this.#lives)
    this.handle({ kind: 'executorRegistered', executor })
  }

  /**
   * Loses an executor with its outputs and tasks; with `reportsArrive`, reports in flight still
   * arrive.
   */
  lose(executor: number, reportsArrive: boolean): void {
    if (!this.#alive.delete(executor)) return
    if (!reportsArrive) {
      this.#launched = this.#launched.filter((launch) => launch.executor !== executor)
    }
    for (const [key, { holder }] of this.#outputs) {
      if (holder === executor) this.#outputs.delete(key)
    }
    this.handle({ kind: 'executorLost', executor })
  }

  get isIdle(): boolean {
    return this.#launched.length === 0
  }

  async finishOne(pick: number, fails: boolean): Promise<void> {
    const [launch] = this.#launched.splice(pick % Math.max(1, this.#launched.length), 1)
    if (!launch) return
    const { taskId, executor: holder, stage, partition, life } = launch
    if (fails) return this.handle({ kind: 'taskFailed', taskId, error: { message: 'chaos' } })
    try {
      if (stage.output.kind === 'map') {
        const buckets = await writeBuckets(stage.output.dependency, partition, this.#context())
        const isAlive = this.#alive.get(holder) === life
        if (isAlive) this.#outputs.set(`${stage.id}/${partition}`, { holder, buckets })
        return this.handle({ kind: 'taskFinished', taskId, holder })
      }
      const { action } = stage.output
      const value = await runAction(action, stage.rdd, partition, this.#context())
      this.handle({ kind: 'taskFinished', taskId, holder, value })
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      const { shuffleId, mapPartition } = error
      this.handle({ kind: 'fetchFailed', taskId, shuffleId, mapPartition })
    }
  }

  #context(): TaskContext {
    return {
      batchId: 0,
      readShuffle: async (shuffleId, reducePartition) => {
        const read: Bucket[] = []
        const outputs = [...this.#outputs].filter(([key]) => key.startsWith(`${shuffleId}/`))
        const present = new Map(
          outputs.map(([key, { buckets }]) => [Number(key.split('/')[1]), buckets]),
        )
        const mapPartitions = this.mapPartitionsOf(shuffleId)
        for (let at = 0; at < mapPartitions; at++) {
          const buckets = present.get(at)
          if (!buckets) throw new Missing(shuffleId, at)
          read.push(buckets[reducePartition]!)
        }
        return read
      },
      scan: () => Promise.reject(new Error('no topics here')),
      timeMs: 0,
      watermarks: {},
      advanceState: () => Promise.reject(new Error('no state here')),
      stateVersion: () => Promise.reject(new Error('no state here')),
      stateSize: () => Promise.reject(new Error('no state here')),
      scanState: () => Promise.reject(new Error('no state here')),
      noteEventTime: () => {},
      reject: () => {},
    }
  }

  /** Returns the number of map partitions of a shuffle, from the lineage; set by the test. */
  mapPartitionsOf: (shuffleId: string) => number = () => 0
}

class Missing extends Error {
  readonly shuffleId: string
  readonly mapPartition: number
  constructor(shuffleId: string, mapPartition: number) {
    super(`no output ${mapPartition} of ${shuffleId}`)
    this.shuffleId = shuffleId
    this.mapPartition = mapPartition
  }
}

function mapPartitions(rdd: Rdd<unknown>): Map<string, number> {
  const found = new Map<string, number>()
  const visit = (each: Pick<Rdd<unknown>, 'dependencies'>) => {
    for (const dependency of each.dependencies) {
      if (dependency.kind === 'shuffle') found.set(dependency.id, dependency.parent.partitionCount)
      visit(dependency.parent)
    }
  }
  visit(rdd)
  return found
}

test('any schedule of failures gives the same result as a single thread', async () => {
  const happenings = fc.array(
    fc.record({
      kind: fc.constantFrom('finish', 'finish', 'finish', 'fail', 'lose', 'register'),
      pick: fc.nat(100),
    }),
    { maxLength: chaosSteps },
  )
  await fc.assert(
    fc.asyncProperty(graphs, happenings, async (graph, chaos) => {
      const rdd = build(graph)
      const expected = await rdd.collect()
      const cluster = new Cluster()
      const counts = mapPartitions(rdd)
      cluster.mapPartitionsOf = (shuffleId) => counts.get(shuffleId)!
      const partitions = Array.from({ length: rdd.partitionCount }, (_, at) => at)
      const action = { kind: 'collect' } as const
      cluster.handle({ kind: 'jobSubmitted', jobId: 1, rdd, action, partitions })
      for (const { kind, pick } of chaos) {
        if (kind === 'lose') cluster.lose(pick % executors, pick % 2 === 0)
        else if (kind === 'register') cluster.register(pick % executors)
        else await cluster.finishOne(pick, kind === 'fail')
      }
      for (let executor = 0; executor < executors; executor++) cluster.register(executor)
      for (let rest = 0; cluster.results === undefined && rest < 2000; rest++) {
        expect(cluster.isIdle).toBe(false)
        await cluster.finishOne(rest * 7, false)
      }
      expect((cluster.results as unknown[][]).flat()).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})
