// Which of the things that a request names it names more than once: Kafka refuses those, whichever
// order they are in, and carries out the rest.

export function repeatedIn<T>(values: Iterable<T>): ReadonlySet<T> {
  const seen = new Set<T>()
  const repeated = new Set<T>()
  for (const value of values) {
    if (seen.has(value)) repeated.add(value)
    else seen.add(value)
  }
  return repeated
}
