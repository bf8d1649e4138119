// Keys of a state as text, in an address and on a command line: `?key=alice` is a string. Others say
// their type: `number:5`, `boolean:true`, `json:null`; and so does a string that would look like one of
// those: `string:number:5`.

import type { Key } from './rdd/key.ts'

/** The key of the text; undefined when the text says a type and then something else. */
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
  'a key is text, or says its type: number:5, boolean:true, json:null, string:number:5'

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
