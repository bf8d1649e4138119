// Compares two observations. A difference has a path, the value of Kafka and the value of Millrace.
// Lists are compared index by index, so that a different order is a difference.

export interface Difference {
  /** The path into the observation: 'joined.members.0.state'. */
  readonly at: string
  /** Omitted when there is no value. */
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
