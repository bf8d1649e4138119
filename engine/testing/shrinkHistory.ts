// Shrinks a history while it still gives a wrong result: fewer faults, fewer records, fewer
// batches, earlier steps, fewer changes of clock, order and random numbers. Everything left is
// necessary.

import type { HistoryFault, HistoryPlan } from './history.ts'

/** Maximum runs of the job. */
const mostAttempts = 400

/** `isWrong` runs the job. Returns the smallest history found. */
export async function shrinkHistory(
  plan: HistoryPlan,
  isWrong: (plan: HistoryPlan) => Promise<boolean>,
): Promise<HistoryPlan> {
  let smallest = plan
  let attempts = 0
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false
    for (const candidate of smallerThan(smallest)) {
      if (++attempts > mostAttempts) return smallest
      if (!(await isWrong(candidate))) continue
      smallest = candidate
      isSmaller = true
      break
    }
  }
  return smallest
}

/** Largest reductions first. */
function* smallerThan(plan: HistoryPlan): Generator<HistoryPlan> {
  const { faults, batches } = plan
  for (const flag of ['otherClock', 'otherRandom', 'otherOrder'] as const) {
    if (plan[flag]) yield { ...plan, [flag]: false }
  }
  if (faults.length > 1) yield { ...plan, faults: [] }
  for (const fault of faults) yield { ...plan, faults: faults.filter((other) => other !== fault) }
  yield* withFewerBatches(plan)
  yield* withFewerRecords(plan)
  for (const [at, batch] of batches.entries()) {
    if (batch.intervals === 1) continue
    yield { ...plan, batches: batches.with(at, { ...batch, intervals: 1 }) }
  }
  for (const [at, fault] of faults.entries()) {
    for (const simpler of simplerThan(fault)) {
      yield { ...plan, faults: faults.with(at, simpler) }
    }
  }
}

/** Drops each batch with its records and faults, or merges it with the next one. */
function* withFewerBatches(plan: HistoryPlan): Generator<HistoryPlan> {
  const { faults, batches } = plan
  if (batches.length < 2) return
  for (let at = 0; at < batches.length; at++) {
    yield {
      ...plan,
      batches: batches.toSpliced(at, 1),
      faults: faults.filter(({ batch }) => batch !== at).map((fault) => moved(fault, at)),
    }
  }
  for (let at = 0; at + 1 < batches.length; at++) {
    const joined = {
      ...batches[at + 1]!,
      records: [...batches[at]!.records, ...batches[at + 1]!.records],
    }
    yield {
      ...plan,
      batches: batches.toSpliced(at, 2, joined),
      faults: faults.map((fault) => moved(fault, at)),
    }
  }
}

function moved(fault: HistoryFault, removed: number): HistoryFault {
  return fault.batch > removed ? { ...fault, batch: fault.batch - 1 } : fault
}

function* withFewerRecords(plan: HistoryPlan): Generator<HistoryPlan> {
  const { batches } = plan
  const all = batches.flatMap(({ records }) => records)
  for (let size = Math.floor(all.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < all.length; from += size) {
      const dropped = new Set(all.slice(from, from + size))
      yield {
        ...plan,
        batches: batches.map((batch) => {
          return { ...batch, records: batch.records.filter((record) => !dropped.has(record)) }
        }),
      }
    }
  }
}

function* simplerThan(fault: HistoryFault): Generator<HistoryFault> {
  if (fault.kind !== 'killDriver') {
    if (fault.launch > 0) yield { ...fault, launch: 0 }
    if (fault.launch > 1) yield { ...fault, launch: fault.launch - 1 }
    return
  }
  if (fault.loses === 'power') yield { ...fault, loses: 'process' }
  for (const step of [0, Math.floor(fault.step / 2), fault.step - 1]) {
    if (step >= 0 && step < fault.step) yield { ...fault, step }
  }
}
