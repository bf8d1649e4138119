// A chain of narrow operators as one sink. Short chains, which are all that people write by hand, are one
// nest of function calls. A program may build a chain of many thousands, and a nest of them would overflow
// the stack: such a chain is cut into nests of bounded depth, and an element's results are gathered
// between one nest and the next.
//
// Where the elements are of records whose source leaves out those that fail, the chain guards itself: what
// it makes of a record is held back until the record is over, and dropped when an operator has thrown at one
// of its elements. Each chain has a guard of its own, also behind a pass that several chains share: a chain
// gives the same whether it has shared a pass or not, and a retry gives the same as the first try.

import { EngineError } from '../engineError.ts'
import { type RecordGuard, recordInHand } from '../sources/recordInHand.ts'
import { rejection } from '../sources/rejection.ts'
import type { Lineage, NarrowStep, Sink, TaskContext } from './lineage.ts'

/** Operators in one nest of calls. */
const longestNest = 500

/** One nest, and what it has made of an element. */
interface Nest {
  readonly sink: Sink<unknown>
  readonly made: unknown[]
}

/** Computes a partition of the chain that ends with `last`, without a recursion over its length. */
export function computeChain(
  last: NarrowStep,
  partition: number,
  task: TaskContext,
  sink: Sink<unknown>,
): void | Promise<void> {
  const source = sourceOf(last)
  if (!source.rejects) return source.compute(partition, task, chainOf(last, sink).sink)
  const guard = new ChainGuard(task, sink)
  guard.chain = chainOf(last, guard.take)
  return source.compute(partition, task, guard.push)
}

/** What the first operator of the chain reads. */
function sourceOf(last: NarrowStep): Lineage<unknown> {
  let source = last.parent
  while (source.step) source = source.step.parent
  return source
}

interface Chain {
  readonly sink: Sink<unknown>
  /** What an operator that threw has left between nests. */
  clear(): void
}

function chainOf(last: NarrowStep, sink: Sink<unknown>): Chain {
  /** The nest at the end, which has the sink of all. */
  let end: Sink<unknown> | undefined
  /** Those before it, the last first. */
  const nests: Nest[] = []
  let made: unknown[] = []
  let nested = sink
  let depth = 0
  for (let step: NarrowStep | undefined = last; step; step = step.parent.step) {
    if (depth++ === longestNest) {
      if (end === undefined) end = nested
      else nests.push({ sink: nested, made })
      const gathered: unknown[] = []
      made = gathered
      nested = (element) => gathered.push(element)
      depth = 1
    }
    nested = step.wrap(nested)
  }
  if (end === undefined) return { sink: nested, clear: () => {} }
  nests.push({ sink: nested, made })
  const clear = () => {
    for (const nest of nests) nest.made.length = 0
  }
  return { sink: throughNests(nests.toReversed(), end), clear }
}

/** `nests` from the first operator of the chain on. */
function throughNests(nests: readonly Nest[], end: Sink<unknown>): Sink<unknown> {
  return (element) => {
    let elements = [element]
    for (const { sink, made } of nests) {
      for (const each of elements) sink(each)
      elements = made.splice(0)
    }
    for (const each of elements) end(each)
  }
}

/** Holds back what a chain makes of a record. Errors of what comes behind the chain are not its own. */
class ChainGuard implements RecordGuard {
  declare chain: Chain
  readonly #task: TaskContext
  readonly #sink: Sink<unknown>
  /** What the chain has made of the record in hand: the first `#count`. The array is used again and again. */
  readonly #made: unknown[] = []
  #count = 0
  /** The record in hand has given the chain an element. */
  #isOpen = false
  #isRejected = false

  constructor(task: TaskContext, sink: Sink<unknown>) {
    this.#task = task
    this.#sink = sink
  }

  /** Takes what the chain makes. */
  readonly take = (element: unknown): void => {
    this.#made[this.#count++] = element
  }

  /** Takes the elements of the chain's source. */
  readonly push = (element: unknown): void => {
    const { record, onError } = recordInHand
    if (record === undefined) {
      // Of a union, the part whose source fails at the first error, or which comes out of a shuffle.
      this.chain.sink(element)
      this.#emit()
      return
    }
    if (!this.#isOpen) {
      this.#isOpen = true
      recordInHand.atEnd(this)
    }
    if (this.#isRejected) return
    try {
      this.chain.sink(element)
    } catch (error) {
      if (!isOfRecord(error)) throw error
      this.#isRejected = true
      this.#count = 0
      this.chain.clear()
      this.#task.reject(rejection(record, onError, error))
    }
  }

  recordEnded(): void {
    this.#isOpen = false
    if (this.#isRejected) this.#isRejected = false
    else this.#emit()
  }

  #emit(): void {
    const count = this.#count
    this.#count = 0
    for (let at = 0; at < count; at++) this.#sink(this.#made[at])
  }
}

/** The engine's own errors say that the job or the engine is wrong, whatever the record is. */
function isOfRecord(error: unknown): boolean {
  if (!(error instanceof EngineError)) return true
  return error.code === 'USER_CODE_FAILED' || error.code === 'RECORD_INVALID'
}
