// The filter of browsed and tailed records: by key, or by a text in key or value.

import { Type } from 'typebox'
import type { RecordCursor } from '../../../../../protocol/kafka/records/recordCursor.ts'

export const filterQuery = {
  key: Type.Optional(
    Type.String({
      maxLength: 512,
      description: 'Only records with this key (UTF-8, exact match).',
    }),
  ),
  contains: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'Only records with this text in their key or value (UTF-8, case-sensitive).',
    }),
  ),
}

export type RecordFilter = (cursor: RecordCursor) => boolean

/** Returns undefined if every record matches. */
export function recordFilter(query: {
  readonly key?: string
  readonly contains?: string
}): RecordFilter | undefined {
  const { key, contains } = query
  if (key === undefined && contains === undefined) return undefined
  const wantedKey = key === undefined ? undefined : Buffer.from(key)
  const text = contains === undefined ? undefined : Buffer.from(contains)
  return (cursor) => {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor
    if (wantedKey !== undefined) {
      if (keyStart < 0 || !bytes.subarray(keyStart, keyEnd).equals(wantedKey)) return false
    }
    if (text === undefined) return true
    const inKey = keyStart >= 0 && bytes.subarray(keyStart, keyEnd).includes(text)
    return inKey || (valueStart >= 0 && bytes.subarray(valueStart, valueEnd).includes(text))
  }
}
