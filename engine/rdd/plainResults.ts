// Looks at what a task hands on before it does. A value that goes to another task or to the driver
// is cloned on the way, and a clone keeps data and drops everything else: the view of a row would
// arrive as an empty object, and a job would count nothings without a word.

import { EngineError } from '../engineError.ts'
import type { Bucket } from './lineage.ts'

/** Throws TASK_FAILED unless the values can be cloned as they are. The first one speaks for all. */
export function requirePlainBuckets(buckets: readonly Bucket[]): void {
  for (const { values } of buckets) if (values.length > 0) requirePlain(values[0])
}

export function requirePlainElements(elements: unknown): void {
  if (Array.isArray(elements) && elements.length > 0) requirePlain(elements[0])
}

/** A pair's value, and the values of a group, are looked at as well. */
function requirePlain(value: unknown, depth = 0): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    if (depth < 3) for (const each of value.slice(0, 2)) requirePlain(each, depth + 1)
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || builtIn.has(prototype)) return
  const name = (value.constructor as { name?: string } | undefined)?.name || 'object'
  throw new EngineError(
    'TASK_FAILED',
    `a ${name} cannot go to another task or to the driver, because only its data would arrive: ` +
      'map it to a plain value, such as the fields that are needed, before groupByKey, join or collect',
  )
}

const builtIn = new Set<unknown>(
  [Object, Map, Set, Date, RegExp, ArrayBuffer, Uint8Array, Buffer, Float64Array, Int32Array].map(
    (made) => made.prototype,
  ),
)
