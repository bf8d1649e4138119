// Which of the things that a request names it names more than once: Kafka refuses those with one
// answer each, and carries out the rest.

export interface Named<T> {
  /** Each thing once, the first of those with its key. */
  readonly unique: readonly T[]
  /** The keys of those that were there more than once. */
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
