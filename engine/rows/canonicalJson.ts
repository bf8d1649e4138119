// Canonical JSON: the same text for equal values. Used in fingerprints of schemas, whose properties
// may be in any order.

/** Returns JSON without white space, with the properties of objects sorted by name. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each
    return Object.fromEntries(
      Object.entries(each).sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)),
    )
  })
}
