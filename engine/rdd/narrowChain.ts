// A chain of narrow operators as one sink. Chains written by hand are short, and become one nest of
// function calls. A program may build a chain of many thousands, and one nest would overflow the
// stack: such a chain is split into nests of bounded depth, and an element's results are collected
// between one nest and the next.
//
// If the source rejects failing records, the chain guards itself: its results for a record are held
// back until the record ends, and dropped if an operator throws at one of its elements. Each chain
// has its own guard, also behind a pass that several chains share: a chain's result must not depend
// on whether it shared a pass, nor on whether it is a retry.

import { EngineError } from '../engineError.ts'
import { type RecordGuard, recordInHand } from '../sources/recordInHand.ts'
import { rejection } from '../sources/rejection.ts'
import type { Sink } from '../sources/sink.ts'
import type { Lineage, NarrowStep, TaskContext } from './lineage.ts'

/** Maximum operators in one nest of calls. */
const longestNest = 500

/** One nest, and its results for an element. */
interface Nest {
  readonly sink: Sink<unknown>
  readonly made: unknown[]
}

/** Computes a partition of the chain that ends with `last`, without recursion over its length. */
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

/** Returns the input of the chain's first operator. */
function sourceOf(last: NarrowStep): Lineage<unknown> {
  let source = last.parent
  while (source.step) source = source.step.parent
  return source
}

interface Chain {
  readonly sink: Sink<unknown>
  /** Drops elements left between nests by an operator that threw. */
  clear(): void
}

function chainOf(last: NarrowStep, sink: Sink<unknown>): Chain {
  /** The last nest, whose sink is that of the chain. */
  let end: Sink<unknown> | undefined
  /** The nests before it, last first. */
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

/** `nests` in the order of the chain. */
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

/** Holds back a chain's results for a record. Errors of later operators are not its own. */
class ChainGuard implements RecordGuard {
  declare chain: Chain
  readonly #task: TaskContext
  readonly #sink: Sink<unknown>
  /** The chain's results for the current record: the first `#count`. The array is reused. */
  readonly #made: unknown[] = []
  #count = 0
  /** Whether the current record has given the chain an element. */
  #isOpen = false
  #isRejected = false

  constructor(task: TaskContext, sink: Sink<unknown>) {
    this.#task = task
    this.#sink = sink
  }

  /** Receives the chain's results. */
  readonly take = (element: unknown): void => {
    this.#made[this.#count++] = element
  }

  /** Receives the elements of the chain's source. */
  readonly push = (element: unknown): void => {
    const { record, onError } = recordInHand
    if (record === undefined) {
      // The element belongs to no current record: it comes from a shuffle, or from a part of a
      // union whose source fails at the first error.
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

/** The engine's own errors concern the job or the engine, not a record. */
function isOfRecord(error: unknown): boolean {
  if (!(error instanceof EngineError)) return true
  return error.code === 'USER_CODE_FAILED' || error.code === 'RECORD_INVALID'
}
