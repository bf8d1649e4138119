// A chain of narrow operators as one sink. Short chains, which are all that people write by hand, are one
// nest of function calls. A program may build a chain of many thousands, and a nest of them would overflow
// the stack: such a chain is cut into nests of bounded depth, and an element's results are gathered
// between one nest and the next.

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
  /** The nest at the end, which has the sink of all. */
  let end: Sink<unknown> | undefined
  /** Those before it, the last first. */
  const nests: Nest[] = []
  let made: unknown[] = []
  let nested = sink
  let depth = 0
  let source: Lineage<unknown> = last.parent
  for (let step: NarrowStep | undefined = last; step; step = source.step) {
    if (depth++ === longestNest) {
      if (end === undefined) end = nested
      else nests.push({ sink: nested, made })
      const gathered: unknown[] = []
      made = gathered
      nested = (element) => gathered.push(element)
      depth = 1
    }
    nested = step.wrap(nested)
    source = step.parent
  }
  if (end === undefined) return source.compute(partition, task, nested)
  nests.push({ sink: nested, made })
  return source.compute(partition, task, throughNests(nests.reverse(), end))
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
