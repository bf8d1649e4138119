// The cursor of a chart: the time whose values are shown, set by the pointer or by keys. Without a
// cursor, the latest values are shown.

import { timeOfDay } from './format.js'
import { spans } from './history.js'

/** Returns the index after a key; undefined for no cursor. Other keys have no effect. */
export function movedBy(event, index, length) {
  const from = index ?? length - 1
  const step = event.shiftKey ? 10 : 1
  const moves = {
    ArrowLeft: Math.max(0, from - step),
    ArrowRight: Math.min(length - 1, from + step),
    Home: 0,
    End: length - 1,
    Escape: undefined,
  }
  if (!(event.key in moves)) return index
  event.preventDefault()
  return moves[event.key]
}

/** Returns the index of the point nearest to `timeMs`; undefined where the chart has none. */
export function nearest({ points, span }, timeMs) {
  const distance = (at) => Math.abs(points[at].timeMs - timeMs)
  const at = points.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0)
  return points.length > 0 && distance(at) <= spans[span].ms / 50 ? at : undefined
}

/** The time of the cursor, as text. */
export function cursorText(points, index) {
  const point = points[index]
  return point ? `at ${timeOfDay(point.timeMs)}` : ''
}

/** Describes a chart in words, for screen readers. */
export function described(title, span, series, format) {
  const lines = series.map(({ label, values }) => {
    const known = values.filter((value) => value !== null)
    if (known.length === 0) return `${label}: unknown`
    const now = format(values.at(-1))
    return `${label}: now ${now}, from ${format(Math.min(...known))} to ${format(Math.max(...known))}`
  })
  return `${title}, ${span}. ${lines.join('; ')}. Left and right arrow keys read earlier values.`
}
