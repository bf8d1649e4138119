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

/** The log's days are MMDD; it does not write the year. */
const year = Number(process.env.SHOP_LOG_YEAR ?? 2014)

/** Midnight UTC, in milliseconds since the epoch; NaN for what is no day. */
export function dayTimeMs({ day }: { readonly day: string }): number {
  return Date.UTC(year, +day.slice(0, 2) - 1, +day.slice(2))
}
