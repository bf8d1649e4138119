// Numbers as people read them. Nothing here knows what a number means.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const percentage = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 })

/** 1234567 -> 1,234,567 */
export const count = (value) => whole.format(value)

/** 1234567 -> 1.2M, for axes and tight places. */
export const compact = (value) =>
  Math.abs(value) < 1000 ? whole.format(value) : short.format(value)

/** 0.1234 -> 12.3% */
export const percent = (value) => percentage.format(value)

/** Bytes per second, in decimal units as disks and networks count. */
export function bytesPerSecond(value) {
  const units = ['B/s', 'kB/s', 'MB/s', 'GB/s']
  let at = 0
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at++
  }
  return `${value.toFixed(value < 10 && at > 0 ? 1 : 0)} ${units[at]}`
}

/** 850 -> 850 ms, 12345 -> 12.3 s */
export function milliseconds(value) {
  if (value === null || value === undefined) return '–'
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`
}

/** A key of a view as its job wants it called. */
export const labelOf = (view, key) => view.labels?.[key] ?? (key === '' ? 'not given' : key)
