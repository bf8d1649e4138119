// Copies of plain values, for functions of a job that receive a value that others receive as well,
// or that they receive again when a task is retried: a function that changes its argument must
// change only its own copy.

/** Deeper values, and those with cycles, are left to structuredClone. */
const mostDepth = 8

/**
 * Copies plain objects and arrays, which are nearly all values; leaves Map, Date and the like to
 * structuredClone, which takes ten times as long. Instances of classes are returned unchanged: they
 * are rejected where they would leave their task.
 */
export function copyOf<V>(value: V): V {
  return isObject(value) ? (copyOfObject(value, 0) as V) : value
}

function copyOfObject(value: object, depth: number): object {
  if (depth > mostDepth) return structuredClone(value)
  if (Buffer.isBuffer(value)) return Buffer.from(value)
  if (Array.isArray(value)) {
    const copy: unknown[] = value.slice()
    for (let at = 0; at < copy.length; at++) {
      const element = copy[at]
      if (isObject(element)) copy[at] = copyOfObject(element, depth + 1)
    }
    return copy
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    return isCloned(value) ? structuredClone(value) : value
  }
  const copy = { ...value } as Record<string, unknown>
  for (const name in copy) {
    const field = copy[name]
    if (isObject(field)) copy[name] = copyOfObject(field, depth + 1)
  }
  return copy
}

function isCloned(value: object): boolean {
  if (value instanceof Map || value instanceof Set || value instanceof Date) return true
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
