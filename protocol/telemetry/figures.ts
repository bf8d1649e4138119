// Formats figures for messages and the terminal. The console's page has its own formats
// (page/format.js), which also choose the digits of axes.

/** Created lazily: it takes 20 ms, and a starting program does not need it. */
let whole: Intl.NumberFormat | undefined
const missing = '–'

/** 1234567 -> 1,234,567; an unknown figure is a dash. */
export function count(value: number | null): string {
  if (value === null) return missing
  whole ??= new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
  return whole.format(value)
}

/** 0.994 -> 99.4 %; rounds down to below 100 %. */
export function percent(value: number): string {
  const tenths = value < 1 ? Math.min(99.9, value * 100) : value * 100
  return `${Number(tenths.toFixed(1))} %`
}

/** 12 -> 12 ms, 4100 -> 4.1 s, 95000 -> 95 s, 720000 -> 12 min, 7200000 -> 2 h */
export function duration(ms: number | null): string {
  if (ms === null) return missing
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} d`
}
