// Compares two observations. A difference says where, what Kafka showed, and what ours showed; lists
// are compared place by place, so that an order that differs is a difference.

export interface Difference {
  /** The path into the observation: 'joined.members.0.state'. */
  readonly at: string
  /** Left out where there is nothing. */
  readonly kafka?: unknown
  readonly ours?: unknown
}

export function differences(kafka: unknown, ours: unknown, at = ''): Difference[] {
  if (isTree(kafka) && isTree(ours) && Array.isArray(kafka) === Array.isArray(ours)) {
    const keys = new Set([...Object.keys(kafka), ...Object.keys(ours)])
    return [...keys].flatMap((key) =>
      differences(kafka[key], ours[key], at === '' ? key : `${at}.${key}`),
    )
  }
  if (Object.is(kafka, ours)) return []
  return [
    { at, ...(kafka === undefined ? {} : { kafka }), ...(ours === undefined ? {} : { ours }) },
  ]
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
