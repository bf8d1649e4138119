// Formats numbers for people. Knows nothing of what a number means. Invariant: an unknown value is
// a dash, never 0.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const percentage = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 })
const missing = '–'
const isKnown = (value) => value !== null && value !== undefined

/** 1234567 -> 1,234,567 */
export const count = (value) => (isKnown(value) ? whole.format(value) : missing)

/** 1234 -> 1,234/s */
export const perSecond = (value) => `${count(value)}/s`

/** 0.1234 -> 12.3%; rounds down to below 100%. */
export function percent(value) {
  if (!isKnown(value)) return missing
  return percentage.format(value < 1 ? Math.min(0.999, value) : value)
}

/** Bytes per second, in decimal units as disks and networks count. */
export function bytesPerSecond(value) {
  if (!isKnown(value)) return missing
  const units = ['B/s', 'kB/s', 'MB/s', 'GB/s']
  const at = units.findLastIndex((_, index) => index === 0 || value >= 1000 ** index)
  const scaled = value / 1000 ** at
  return `${scaled.toFixed(scaled < 10 && at > 0 ? 1 : 0)} ${units[at]}`
}

/** 12 -> 12 ms, 4100 -> 4.1 s, 95000 -> 95 s, 720000 -> 12 min, 7200000 -> 2 h */
export function duration(ms) {
  if (!isKnown(ms)) return missing
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

/** 2026-11-30 08:15, by the reader's clock. */
export const dateAndTime = (ms) => new Date(ms).toLocaleString('sv-SE').slice(0, 16)

export const timeOfDay = (ms) => new Date(ms).toLocaleTimeString('en-GB')

/** Label of a view's key, as its job defines it. */
export const labelOf = (view, key) => view.labels?.[key] ?? (key === '' ? 'not given' : key)

/** Units of an axis, largest first: from which value, divisor, name. */
const axisUnits = {
  rate: [
    [1e6, 1e6, 'M/s'],
    [1e4, 1e3, 'K/s'],
    [0, 1, '/s'],
  ],
  duration: [
    [600_000, 60_000, ' min'],
    [1_000, 1_000, ' s'],
    [0, 1, ' ms'],
  ],
  share: [[0, 0.01, '%']],
}

/** Labels of an axis: one unit for all, with enough digits to tell neighbours apart. */
export function axisLabels(kind, values, increment) {
  const largest = Math.max(...values.map(Math.abs), 0)
  const [, scale, unit] = axisUnits[kind].find(([from]) => largest >= from)
  const step = increment / scale
  const digits = [0, 1, 2, 3, 4].find(
    (d) => Math.abs(step * 10 ** d - Math.round(step * 10 ** d)) < 1e-6,
  )
  const format = new Intl.NumberFormat('en', {
    minimumFractionDigits: digits ?? 5,
    maximumFractionDigits: digits ?? 5,
  })
  return values.map((value) => `${format.format(value / scale)}${unit}`)
}
