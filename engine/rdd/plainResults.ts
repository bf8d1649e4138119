// Checks the results of a task before they are sent. A value that goes to another task or to the
// driver is cloned, and a clone keeps only data: the view of a row would arrive as an empty object,
// and the job would continue with wrong results without an error.

import { EngineError } from '../engineError.ts'
import type { Bucket } from './lineage.ts'

/** Throws TASK_FAILED unless values can be cloned unchanged. Checks the first of each bucket. */
export function requirePlainBuckets(buckets: readonly Bucket[]): void {
  for (const { values } of buckets) if (values.length > 0) requirePlain(values[0])
}

export function requirePlainElements(elements: unknown): void {
  if (Array.isArray(elements) && elements.length > 0) requirePlain(elements[0])
}

/** Checks the value of a pair and the values of a group, too. */
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
