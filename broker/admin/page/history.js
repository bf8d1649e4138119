// The history as the stream brings it, and what a chart plots of it. Where seconds are missing (the
// page or the server stood still) there is a point without values, so that no line crosses the gap.

/** As many points as the server keeps (history.ts). */
const recentLength = 300
const olderLength = 330
const recentStep = 1_000
const olderStep = 10_000

export const spans = {
  recent: { name: '5 min', text: 'last 5 minutes', ms: recentLength * recentStep },
  hour: { name: '1 h', text: 'last hour', ms: 3_600_000 },
}

/** The history with what a tick brought; points that were merged into an older one are left out. */
export function grown(history, { recent, older }) {
  const firstMs = Math.min(...[...older, ...recent].map(({ timeMs }) => timeMs))
  const firstRecentMs = recent[0]?.timeMs ?? Number.POSITIVE_INFINITY
  // What is later than the news is of a clock that was set back since.
  const keptOlder = history.older.filter(({ timeMs }) => timeMs < firstMs)
  const keptRecent = history.recent.filter(({ timeMs }) => timeMs < firstRecentMs)
  const allOlder = [...keptOlder, ...older].slice(-olderLength)
  const mergedMs = allOlder.at(-1)?.timeMs ?? 0
  const all = [...keptRecent, ...recent].filter(({ timeMs }) => timeMs > mergedMs)
  return { recent: all, older: allOlder }
}

/** The points of a span, each with the time until which a next one belongs to the same line. */
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

/** The values of one series; null where it is not known. */
export const valuesOf = (points, pick) => points.map((point) => pick(point) ?? null)

/** Indexes of values with none beside them: a line alone would not show them. */
export function isolated(values) {
  const known = (at) => values[at] !== null && values[at] !== undefined
  return values.flatMap((_, at) => (known(at) && !known(at - 1) && !known(at + 1) ? [at] : []))
}
