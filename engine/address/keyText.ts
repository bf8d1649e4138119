// The text form of a state's key, in URLs and on command lines. `?key=alice` is a string; other
// types have a prefix: `number:5`, `boolean:true`, `json:null`. A string that looks like one of
// them needs a prefix too: `string:number:5`.

import type { Key } from '../keys/key.ts'

/** Parses a key; undefined when the value does not match its prefix. */
export function parseKey(text: string): Key | undefined {
  const [, type, value = ''] = /^(string|number|boolean|json):(.*)$/s.exec(text) ?? []
  switch (type) {
    case 'string':
      return value
    case 'number':
      return parseNumber(value)
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : undefined
    case 'json':
      return parseJson(value)
    default:
      return text
  }
}

export const keyForms =
  'a key is a string, or has a type prefix: number:5, boolean:true, json:null, string:number:5'

function parseNumber(text: string): number | undefined {
  if (text.trim() === '') return undefined
  const value = Number(text)
  return Number.isNaN(value) && text !== 'NaN' ? undefined : value
}

function parseJson(text: string): Key | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return value === null || ['string', 'number', 'boolean'].includes(typeof value)
      ? (value as Key)
      : undefined
  } catch {
    return undefined
  }
}
