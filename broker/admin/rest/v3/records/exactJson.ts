// Parses JSON without losing digits: a number that JavaScript would format differently (an id of 20
// digits, 1.10) keeps its text, and JSON.stringify writes it unchanged.

interface ExactJson {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  rawJSON(source: string): unknown
}

const exact = JSON as unknown as ExactJson

/** Most texts have no such number and are parsed several times faster. */
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
