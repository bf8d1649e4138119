// The shop log that these jobs read: one action of a user on an item per line.

export const columns = [
  'user',
  'item',
  'category',
  'seller',
  'brand',
  'day',
  'action',
  'age',
  'gender',
] as const

export const dayMs = 24 * 60 * 60 * 1000

/** Days in the log are MMDD, without a year. */
const year = Number(process.env.SHOP_LOG_YEAR ?? 2014)

/** Returns midnight UTC, in milliseconds since the epoch; NaN if the text is not a day. */
export function dayTimeMs({ day }: { readonly day: string }): number {
  return Date.UTC(year, +day.slice(0, 2) - 1, +day.slice(2))
}
