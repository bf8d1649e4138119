// Which views of a job are collected in a batch. A view of whole states (updateStateByKey, open windows)
// costs by all of their keys, so it is collected only when one of the states has changed, and a large one
// only now and then: a batch costs what it touches, however much is kept. All other views are collected
// in every batch that they are due in.

import type { DStream } from './stream/dstream.ts'

/** From so many elements on a view is large. */
const largeView = 10_000
/** A large view is left alone for this many times the time that it took last: a tenth of the time goes to it. */
const restFactor = 9

interface Shown {
  /** The newest batch in which the view was collected. */
  readonly batchId: number
  readonly restUntilMs: number
}

/** What decides beside the view itself. */
export interface ViewTurn {
  readonly batchId: number
  /** The newest batch that has changed each operator's state. */
  readonly changed: ReadonlyMap<number, number>
  /** Any monotonic time. */
  readonly nowMs: number
}

export class ViewSchedule {
  readonly #shown = new Map<string, Shown>()
  /** Ids of the operators whose states a stream is made of; undefined for one that is made of other things, too. */
  readonly #operators = new Map<DStream<unknown>, readonly number[] | undefined>()

  /** Whether states alone decide what the view shows: it has to wait for them to advance. */
  isOfStates(stream: DStream<unknown>): boolean {
    return this.#operatorsOf(stream) !== undefined
  }

  isDue(view: string, stream: DStream<unknown>, { batchId, changed, nowMs }: ViewTurn): boolean {
    const shown = this.#shown.get(view)
    const operators = this.#operatorsOf(stream)
    if (shown === undefined || operators === undefined) return true
    // Rows of an attempt that was given up were never shown, and are not those of the batch any more.
    if (shown.batchId >= batchId) return true
    // An operator that does not advance in every batch has nothing to say about this one.
    const hasChanged = operators.some((id) => (changed.get(id) ?? shown.batchId) > shown.batchId)
    return hasChanged && nowMs >= shown.restUntilMs
  }

  collected(view: string, batchId: number, elements: number, tookMs: number, nowMs: number): void {
    const restMs = elements > largeView ? tookMs * restFactor : 0
    this.#shown.set(view, { batchId, restUntilMs: nowMs + restMs })
  }

  #operatorsOf(stream: DStream<unknown>): readonly number[] | undefined {
    if (!this.#operators.has(stream)) this.#operators.set(stream, statesBehind(stream))
    return this.#operators.get(stream)
  }
}

/** Undefined when something else than states decides what the stream holds: the batch, or its time. */
function statesBehind(stream: DStream<unknown>): readonly number[] | undefined {
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
