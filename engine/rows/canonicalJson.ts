// JSON in one form for equal values: what a fingerprint needs of a schema, whose properties may be written
// in any order.

/** JSON without white space, the properties of objects sorted by name. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each
    return Object.fromEntries(
      Object.entries(each).sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)),
    )
  })
}
