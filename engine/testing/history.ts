// A history of a job under test, as data: which records each batch reads, how much time passes, and
// what fails where. Contract: the same history always runs the same way, and a part of a history is
// a history too, so that one with a wrong result can be shrunk until all that is left is necessary.

import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import type { PlacedRecord } from './memoryTopics.ts'

export interface BatchPlan {
  /** Records that arrive before the batch is planned, by their index in the input. */
  readonly records: readonly number[]
  /** Batch intervals that pass. If more than one, the driver is paused in all but the last. */
  readonly intervals: number
}

export type HistoryFault =
  | {
      readonly kind: 'killDriver'
      /** Index of the batch in the plan. */
      readonly batch: number
      /** Counts durable steps from the start of the batch, including those of restarts. */
      readonly step: number
      readonly write: 'lost' | 'kept'
      readonly loses: 'process' | 'power'
    }
  | {
      readonly kind: 'failTask' | 'loseExecutor'
      readonly batch: number
      /** Counts task launches from the start of the batch. */
      readonly launch: number
      readonly at: 'start' | 'end'
    }
  | { readonly kind: 'runTwice'; readonly batch: number; readonly launch: number }

export interface HistoryPlan {
  readonly seed: number
  readonly batches: readonly BatchPlan[]
  readonly faults: readonly HistoryFault[]
  /** Whether reports of executors and shuffle blocks arrive in another order. */
  readonly otherOrder: boolean
  /** Whether Date.now() and Math.random() return other values. */
  readonly otherClock: boolean
  readonly otherRandom: boolean
  /** Limit on the map outputs that the driver keeps, in pairs; no limit by default. */
  readonly maxShufflePairs?: number | undefined
}

/** Size of a batch in the calm history, used to draw faults that happen. */
export interface BatchExtent {
  readonly steps: number
  readonly launches: number
}

const mostFaults = 4
/** Per batch: a job fails after the fourth failure of a task. */
const mostFaultsOfBatch = 2

/** Everything in one batch, without failures. */
export function plainPlan(records: readonly number[]): HistoryPlan {
  return {
    seed: 0,
    batches: [{ records, intervals: 1 }],
    faults: [],
    otherOrder: false,
    otherClock: false,
    otherRandom: false,
  }
}

/** The history with the same batches, without failures. */
export function calm(plan: HistoryPlan): HistoryPlan {
  const { maxShufflePairs: _, ...others } = plan
  return { ...others, faults: [], otherOrder: false, otherClock: false, otherRandom: false }
}

/**
 * Divides the records into random batches. Records of a partition keep their order, except those
 * with timestamps less than `disorderMs` apart; partitions are interleaved at random.
 */
export function drawBatches(
  seed: number,
  records: readonly PlacedRecord[],
  disorderMs = 0,
): BatchPlan[] {
  const random = seededRandom(seed * 2 + 1)
  const waiting = [...partitioned(records).values()].map((partition) =>
    disorderMs === 0 ? partition : disordered(partition, records, disorderMs, random),
  )
  const mostOfTurn = 1 + random.below(Math.max(2, Math.ceil(records.length / 2)))
  const batches: BatchPlan[] = []
  while (waiting.some((partition) => partition.length > 0)) {
    const taken: number[] = []
    for (const partition of waiting)
      taken.push(...partition.splice(0, random.below(mostOfTurn + 1)))
    const intervals = random.below(5) === 0 ? 2 + random.below(4) : 1
    if (taken.length > 0 || random.below(4) === 0) batches.push({ records: taken, intervals })
  }
  return batches
}

/** Delays each record by less than `disorderMs`. */
function disordered(
  partition: readonly number[],
  records: readonly PlacedRecord[],
  disorderMs: number,
  random: Random,
): number[] {
  const arrivals = partition.map((index) => {
    return { index, arrivesMs: records[index]!.record.timestampMs + random.float() * disorderMs }
  })
  return arrivals.sort((one, other) => one.arrivesMs - other.arrivesMs).map(({ index }) => index)
}

/** Draws faults that fall within the work of each batch. */
export function drawFaults(
  seed: number,
  batches: readonly BatchPlan[],
  extents: readonly BatchExtent[],
): HistoryPlan {
  const random = seededRandom(seed * 2)
  const faults: HistoryFault[] = []
  const count = random.below(mostFaults + 1)
  let batch = 0
  for (let at = 0; at < count; at++) {
    // Faults close together: what one leaves behind is exposed by the next one soon, or not at all.
    const isClose = at > 0 && random.below(2) === 0
    batch = isClose
      ? Math.min(batches.length - 1, batch + random.below(2))
      : random.below(batches.length)
    const isFull = faults.filter((fault) => fault.batch === batch).length >= mostFaultsOfBatch
    const fault = drawFault(random, batch, extents[batch] ?? { steps: 1, launches: 1 })
    if (!isFull) faults.push(fault)
  }
  return {
    ...{ seed, batches, faults },
    otherOrder: random.below(4) > 0,
    otherClock: random.below(4) > 0,
    otherRandom: random.below(4) > 0,
  }
}

function drawFault(random: Random, batch: number, { steps, launches }: BatchExtent): HistoryFault {
  const at = random.below(2) === 0 ? 'start' : 'end'
  const launch = random.below(Math.max(1, launches))
  const kind = random.below(6)
  if (kind === 0) return { kind: 'failTask', batch, launch, at }
  if (kind === 1) return { kind: 'loseExecutor', batch, launch, at }
  if (kind === 2) return { kind: 'runTwice', batch, launch }
  return {
    kind: 'killDriver',
    batch,
    step: drawStep(random, steps),
    write: random.below(2) === 0 ? 'lost' : 'kept',
    loses: random.below(2) === 0 ? 'process' : 'power',
  }
}

/** The logs are written at the start and the end of a batch; states and sinks in between. */
function drawStep(random: Random, steps: number): number {
  if (random.below(4) === 0) return random.below(3)
  // A few steps past the last one belong to a restart after another kill.
  return random.below(3) === 0 ? Math.max(0, steps - 3) + random.below(6) : random.below(steps)
}

function partitioned(records: readonly PlacedRecord[]): Map<string, number[]> {
  const partitions = new Map<string, number[]>()
  for (const [at, { topic, partition }] of records.entries()) {
    const key = `${topic}-${partition}`
    partitions.set(key, [...(partitions.get(key) ?? []), at])
  }
  return partitions
}
