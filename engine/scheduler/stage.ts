// A stage: the tasks between two shuffles, one for each partition of the RDD at its end. What a
// stage computes follows from its lineage; which of its tasks run is decided by the DAG scheduler.

import type { Action } from '../rdd/action.ts'
import type { Affinity, Lineage, ShuffleDependency } from '../rdd/lineage.ts'
import type { OffsetRange } from '../sources/scan.ts'

export interface Stage {
  readonly id: string
  readonly rdd: Lineage<unknown>
  /** The shuffles that its tasks read. */
  readonly parents: readonly ShuffleDependency[]
  readonly output:
    | { readonly kind: 'map'; readonly dependency: ShuffleDependency }
    | { readonly kind: 'result'; readonly jobId: number; readonly action: Action }
  /** Task ids by the partition that they compute. */
  readonly running: Map<number, number>
  readonly failures: Map<number, number>
  /** Executors lost while they ran the task of a partition. */
  readonly losses: Map<number, number>
  /**
   * Losses of map outputs that its tasks read, by output, since a task of the stage last finished.
   */
  readonly fetchFailures: Map<string, number>
}

export function createStage(id: string, rdd: Lineage<unknown>, output: Stage['output']): Stage {
  return {
    id,
    rdd,
    parents: shufflesOf(rdd),
    output,
    running: new Map(),
    failures: new Map(),
    losses: new Map(),
    fetchFailures: new Map(),
  }
}

/** The nearest shuffles up the lineage, without duplicates. */
function shufflesOf(rdd: Lineage<unknown>): ShuffleDependency[] {
  const shuffles = new Map<string, ShuffleDependency>()
  const seen = new Set([rdd])
  for (const each of seen) {
    for (const dependency of each.dependencies) {
      if (dependency.kind === 'shuffle') shuffles.set(dependency.id, dependency)
      else seen.add(dependency.parent)
    }
  }
  return [...shuffles.values()]
}

export interface ShuffleRead {
  readonly shuffleId: string
  readonly mapPartitions: number
  readonly reducePartition: number
}

/** Returns the shuffle inputs of the task for one partition, without duplicates. */
export function shuffleReads(rdd: Lineage<unknown>, partition: number): ShuffleRead[] {
  const reads = new Map<string, ShuffleRead>()
  for (const { rdd: each, partition: at } of computedWith(rdd, partition)) {
    for (const dependency of each.dependencies) {
      if (dependency.kind !== 'shuffle') continue
      const { id, parent } = dependency
      const read = { shuffleId: id, mapPartitions: parent.partitionCount, reducePartition: at }
      reads.set(`${id}/${at}`, read)
    }
  }
  return [...reads.values()]
}

/**
 * Returns the preferred executor of a task: that of the state it changes, else of the first source
 * it reads.
 */
export function affinityOf(rdd: Lineage<unknown>, partition: number): Affinity | undefined {
  let wish: Affinity | undefined
  for (const { rdd: each, partition: at } of computedWith(rdd, partition)) {
    const affinity = each.affinity?.(at)
    if (affinity?.kind === 'state') return affinity
    wish ??= affinity
  }
  return wish
}

/** The operator at the end of a stage, under the name that the job's author gave it. */
export function operatorOf({ rdd }: Pick<Stage, 'rdd'>): string {
  const [dependency] = rdd.dependencies
  return rdd.name === 'shared' && dependency ? dependency.parent.name : rdd.name
}

/** Maximum number of ranges named in a message. */
const shownRanges = 3

/** Names the task of a stage and the ranges that it reads. */
export function describeTask(stage: Stage, partition: number): string {
  const { rdd } = stage
  const name = `partition ${partition} of ${operatorOf(stage)}`
  const ranges = rangesRead(rdd, partition)
  if (ranges.length === 0) return name
  const shown = ranges
    .slice(0, shownRanges)
    .map((range) => `${range.topic}-${range.partition} offsets ${range.from} to ${range.until}`)
  const more = ranges.length > shownRanges ? ` and ${ranges.length - shownRanges} more ranges` : ''
  return `${name}, reading ${shown.join(', ')}${more},`
}

/** Returns the topic ranges that the task reads itself, without those read before a shuffle. */
function rangesRead(rdd: Lineage<unknown>, partition: number): OffsetRange[] {
  const ranges: OffsetRange[] = []
  for (const { rdd: each, partition: at } of computedWith(rdd, partition)) {
    const range = each.range?.(at)
    if (range) ranges.push(range)
  }
  return ranges
}

interface PartitionOf {
  readonly rdd: Lineage<unknown>
  readonly partition: number
}

/** Returns the partition and all partitions that the same task computes for it. */
function computedWith(rdd: Lineage<unknown>, partition: number): Iterable<PartitionOf> {
  const found = new Map<string, PartitionOf>([[`${rdd.id}/${partition}`, { rdd, partition }]])
  for (const { rdd: each, partition: at } of found.values()) {
    for (const dependency of each.dependencies) {
      if (dependency.kind === 'shuffle') continue
      const parentPartition = dependency.parentOf(at)
      if (parentPartition === undefined) continue
      const { parent } = dependency
      found.set(`${parent.id}/${parentPartition}`, { rdd: parent, partition: parentPartition })
    }
  }
  return found.values()
}
