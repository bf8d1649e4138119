// Finds the resources that a request contains more than once. Kafka refuses each of these once, and
// processes the others.

export interface Named<T> {
  /** The first of the resources with each key. */
  readonly unique: readonly T[]
  /** The keys that occur more than once. */
  readonly repeated: ReadonlySet<string>
}

export function byKey<T>(things: readonly T[], keyOf: (thing: T) => string): Named<T> {
  const firsts = new Map<string, T>()
  const repeated = new Set<string>()
  for (const thing of things) {
    const key = keyOf(thing)
    if (firsts.has(key)) repeated.add(key)
    else firsts.set(key, thing)
  }
  return { unique: [...firsts.values()], repeated }
}
