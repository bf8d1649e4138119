// Decides which views are collected in a batch. A view of whole states (updateStateByKey, open
// windows) costs in proportion to all of their keys, so it is collected only after a state has
// changed and, if it is large, only from time to time. All other views are collected in every batch
// in which they are due.

import type { Stream } from '../stream/streamPlan.ts'

/** Number of elements from which a view counts as large. */
const largeView = 10_000
/**
 * A large view pauses for this many times its last duration, so that it takes a tenth of the time.
 */
const restFactor = 9

interface Shown {
  /** The newest batch in which the view was collected. */
  readonly batchId: number
  readonly restUntilMs: number
}

/** The inputs of a decision, beside the view. */
export interface ViewTurn {
  readonly batchId: number
  /** The newest batch that changed each operator's state. */
  readonly changed: ReadonlyMap<number, number>
  /** Any monotonic time. */
  readonly nowMs: number
}

export class ViewSchedule {
  readonly #shown = new Map<string, Shown>()
  /** Ids of the operators whose states determine a stream; undefined if anything else does, too. */
  readonly #operators = new Map<Stream<unknown>, readonly number[] | undefined>()

  /** Whether the view depends only on states: then it must wait until they have advanced. */
  isOfStates(stream: Stream<unknown>): boolean {
    return this.#operatorsOf(stream) !== undefined
  }

  isDue(view: string, stream: Stream<unknown>, { batchId, changed, nowMs }: ViewTurn): boolean {
    const shown = this.#shown.get(view)
    const operators = this.#operatorsOf(stream)
    if (shown === undefined || operators === undefined) return true
    // Rows of a cancelled attempt were never shown, and the batch has other rows now.
    if (shown.batchId >= batchId) return true
    // An operator that does not advance in this batch has not changed.
    const hasChanged = operators.some((id) => (changed.get(id) ?? shown.batchId) > shown.batchId)
    return hasChanged && nowMs >= shown.restUntilMs
  }

  collected(view: string, batchId: number, elements: number, tookMs: number, nowMs: number): void {
    const restMs = elements > largeView ? tookMs * restFactor : 0
    this.#shown.set(view, { batchId, restUntilMs: nowMs + restMs })
  }

  #operatorsOf(stream: Stream<unknown>): readonly number[] | undefined {
    if (!this.#operators.has(stream)) this.#operators.set(stream, statesBehind(stream))
    return this.#operators.get(stream)
  }
}

/**
 * Returns undefined when the stream depends on anything other than states: the batch, or its time.
 */
function statesBehind(stream: Stream<unknown>): readonly number[] | undefined {
  const operators = new Set<number>()
  const above = new Set([stream])
  for (const { plan } of above) {
    if (plan.isTable) {
      for (const { id } of plan.parents) operators.add(id)
      continue
    }
    const dependsOnBatch = plan.rememberMs !== undefined || plan.name === 'transform'
    if (plan.parents.length === 0 || plan.operator || dependsOnBatch) return undefined
    for (const parent of plan.parents) above.add(parent)
  }
  return [...operators]
}
