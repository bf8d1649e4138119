// Finds the error codes in a response. Their places are derived once, from the declaration of the
// API, so that counting visits only fields with error codes.

import type { Fields, FieldType } from '../../../protocol/kafka/schema/fields.ts'
import type { Api } from '../../../protocol/kafka/schema/schema.ts'

interface Places {
  /** Names of the fields that are error codes. */
  readonly codes: readonly string[]
  /** The fields that contain error codes. */
  readonly inside: readonly { readonly name: string; readonly places: Places }[]
}

type Plain = Readonly<Record<string, unknown>>

export class ErrorCodes {
  readonly #places: Places

  constructor({ response }: Api) {
    this.#places = 'fields' in response ? placesIn(response.fields as Fields) : nowhere
  }

  /** Calls `found` with every error code in the response except 0. */
  each(response: unknown, found: (code: number) => void): void {
    walk(this.#places, response as Plain, found)
  }
}

const nowhere: Places = { codes: [], inside: [] }

function placesIn(fields: Fields): Places {
  const all = Object.entries(fields)
  return {
    codes: all.filter(([name, { type }]) => isCode(name, type)).map(([name]) => name),
    inside: all.flatMap(([name, { type }]) => {
      const places = placesInside(type)
      return places === nowhere ? [] : [{ name, places }]
    }),
  }
}

function isCode(name: string, type: FieldType): boolean {
  return type.kind === 'int16' && /errorCode$/i.test(name)
}

function placesInside(type: FieldType): Places {
  if (type.kind === 'array') return placesInside(type.element)
  if (type.kind !== 'struct') return nowhere
  const places = placesIn(type.fields)
  return places.codes.length + places.inside.length === 0 ? nowhere : places
}

function walk({ codes, inside }: Places, value: Plain, found: (code: number) => void): void {
  for (const name of codes) {
    const code = value[name]
    if (typeof code === 'number' && code !== 0) found(code)
  }
  for (const { name, places } of inside) {
    const content = value[name]
    if (Array.isArray(content)) for (const each of content) walk(places, each as Plain, found)
    else if (typeof content === 'object' && content !== null) walk(places, content as Plain, found)
  }
}
