// Reads JSON without losing digits: a number that JavaScript would write otherwise than it came (an id of 20
// digits, 1.10) is kept as it was written, and comes out of JSON.stringify so.

interface ExactJson {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  rawJSON(source: string): unknown
}

const exact = JSON as unknown as ExactJson

/** Most texts have no such number, and are read several times as fast. */
const mayLoseDigits = /\d{16}|\d\.\d|\d[eE]|-0/

/** Throws SyntaxError. */
export function parseExactly(text: string): unknown {
  if (!mayLoseDigits.test(text)) return JSON.parse(text)
  return exact.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? exact.rawJSON(source)
      : value,
  )
}
