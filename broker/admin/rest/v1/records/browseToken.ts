// The page token of browsed records: the remaining range of each partition, opaque to clients.

import { RestError } from '../../restError.ts'
import type { OffsetRange } from './recordRange.ts'

export const longestBrowseToken = 12_000

export function browseToken(topic: string, order: string, left: readonly OffsetRange[]): string {
  const rows = left.map(({ partition, low, high }) => [partition, low, high])
  return Buffer.from(JSON.stringify([topic, order, rows])).toString('base64url')
}

/** Throws INVALID_PAGE_TOKEN unless the token was issued for the same topic and order. */
export function rangesOfToken(token: string, topic: string, order: string): OffsetRange[] {
  const parts = parsed(token)
  if (Array.isArray(parts) && parts[0] === topic && parts[1] === order && Array.isArray(parts[2])) {
    const rows: readonly unknown[] = parts[2]
    if (rows.every(isRange)) return rows.map(([partition, low, high]) => ({ partition, low, high }))
  }
  throw new RestError(
    40002,
    'INVALID_PAGE_TOKEN',
    `page_token was not issued for topic ${topic} in the order ${order}`,
    'use the address in metadata.next, or restart without page_token',
  )
}

function isRange(row: unknown): row is [partition: number, low: number, high: number] {
  if (!Array.isArray(row) || row.length !== 3) return false
  return row.every((each) => Number.isSafeInteger(each) && each >= 0) && row[1] <= row[2]
}

function parsed(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    return undefined
  }
}
