// The history as the stream delivers it, and the points that a chart plots. Missing seconds (the
// page or the server was suspended) become a point without values, so that no line crosses the gap.

/** Number of points that the server keeps (history.ts). */
const recentLength = 300
const olderLength = 330
const recentStep = 1_000
const olderStep = 10_000

export const spans = {
  recent: { name: '5 min', text: 'last 5 minutes', ms: recentLength * recentStep },
  hour: { name: '1 h', text: 'last hour', ms: 3_600_000 },
}

/** Adds the points of a tick; points merged into an older one are dropped. */
export function grown(history, { recent, older }) {
  const firstMs = Math.min(...[...older, ...recent].map(({ timeMs }) => timeMs))
  const firstRecentMs = recent[0]?.timeMs ?? Number.POSITIVE_INFINITY
  // Points later than the new ones are from before the clock was set back.
  const keptOlder = history.older.filter(({ timeMs }) => timeMs < firstMs)
  const keptRecent = history.recent.filter(({ timeMs }) => timeMs < firstRecentMs)
  const allOlder = [...keptOlder, ...older].slice(-olderLength)
  const mergedMs = allOlder.at(-1)?.timeMs ?? 0
  const all = [...keptRecent, ...recent].filter(({ timeMs }) => timeMs > mergedMs)
  return { recent: all, older: allOlder }
}

/** The points of a span, each with the time up to which the next point continues its line. */
export function pointsOf(history, span) {
  const endMs = history.recent.at(-1)?.timeMs ?? 0
  const older = span === 'hour' ? history.older.map((point) => [point, olderStep]) : []
  const recent = history.recent.map((point) => [point, recentStep])
  return withGaps([...older, ...recent]).filter((point) => point.timeMs > endMs - spans[span].ms)
}

function withGaps(points) {
  return points.flatMap(([point, stepMs], at) => {
    const next = points[at + 1]
    const isGap = next && next[0].timeMs - point.timeMs > 2.5 * Math.max(stepMs, next[1])
    return isGap ? [point, { timeMs: point.timeMs + stepMs, jobs: {} }] : [point]
  })
}

/** The values of one series; null where unknown. */
export const valuesOf = (points, pick) => points.map((point) => pick(point) ?? null)

/** Indexes of values without neighbours, which a line alone would not show. */
export function isolated(values) {
  const known = (at) => values[at] !== null && values[at] !== undefined
  return values.flatMap((_, at) => (known(at) && !known(at - 1) && !known(at + 1) ? [at] : []))
}
