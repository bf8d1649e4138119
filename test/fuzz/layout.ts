// The position of each field in a request frame, found by walking the tables of its codec, so that
// a mutator can change a length, a count or a tag on purpose. The frame may itself be damaged; the
// walk then ends at the damage.

import { apiByKey } from '../../protocol/kafka/apis.ts'
import type { Field, Fields, FieldType, PrimitiveName } from '../../protocol/kafka/schema/fields.ts'
import type { Message } from '../../protocol/kafka/schema/schema.ts'
import { includes } from '../../protocol/kafka/schema/versionRange.ts'

export type SpanKind =
  | Exclude<PrimitiveName, 'string'>
  | 'text'
  /** Fixed-width lengths: of strings, and of bytes and arrays. */
  | 'length16'
  | 'length32'
  /** A varint of a length plus one. */
  | 'compactLength'
  /** A varint of the number of tagged fields. */
  | 'tagCount'
  | 'tag'

export interface Span {
  readonly kind: SpanKind
  /** Index in the frame, without the length prefix. */
  readonly at: number
  readonly bytes: number
  /** The field's name in the table. */
  readonly name: string
}

const widths: Partial<Record<SpanKind, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  bits64: 8,
  float64: 8,
  uuid: 16,
}

/** Returns the fields that are present in a request frame without its length prefix, in order. */
export function layoutOf(frame: Buffer): Span[] {
  const walk = new Walk(frame)
  try {
    walk.request()
  } catch (error) {
    if (!(error instanceof Astray)) throw error
  }
  return walk.spans
}

/** Returns the frame with ids of existing topics: captured frames have the ids of others. */
export function withTopicIds(frame: Buffer, topicId: string): Buffer {
  const ids = layoutOf(frame).filter(({ kind, name }) => kind === 'uuid' && name === 'topicId')
  if (ids.length === 0) return frame
  const changed = Buffer.from(frame)
  for (const { at } of ids) changed.write(topicId.replaceAll('-', ''), at, 'hex')
  return changed
}

/** Thrown when the bytes no longer match the table. */
class Astray extends Error {}

class Walk {
  readonly spans: Span[] = []
  readonly #frame: Buffer
  #at = 0

  constructor(frame: Buffer) {
    this.#frame = frame
  }

  request(): void {
    const key = this.#frame.readInt16BE(this.#take('int16', 2, 'apiKey'))
    const version = this.#frame.readInt16BE(this.#take('int16', 2, 'apiVersion'))
    this.#take('int32', 4, 'correlationId')
    this.#sized('text', false, false, 'clientId')
    const api = apiByKey(key)
    if (api === undefined || version < api.advertisedMinVersion || version > api.maxVersion) return
    const flexible = version >= api.flexibleFrom
    if (flexible) this.#tagged({}, version, 'header')
    this.#struct((api.request as unknown as Message<Fields>).fields, version, flexible, 'body')
  }

  #struct(fields: Fields, version: number, flexible: boolean, name: string): void {
    for (const [fieldName, field] of Object.entries(fields)) {
      if (field.tag === undefined && includes(field.versions, version)) {
        this.#field(field, version, flexible, fieldName)
      }
    }
    if (flexible) this.#tagged(fields, version, name)
  }

  #field({ type, nullable }: Field, version: number, flexible: boolean, name: string): void {
    if (type.kind === 'struct' && includes(nullable, version)) {
      if (this.#frame.readInt8(this.#take('int8', 1, name)) < 0) return
    }
    this.#type(type, version, flexible, name)
  }

  #type(type: FieldType, version: number, flexible: boolean, name: string): void {
    if (type.kind === 'struct') this.#struct(type.fields, version, flexible, name)
    else if (type.kind === 'array') {
      const count = this.#length(flexible, true, name)
      for (let item = 0; item < count; item++) this.#type(type.element, version, flexible, name)
    } else if (type.kind === 'string') this.#sized('text', flexible, false, name)
    else if (type.kind === 'bytes' || type.kind === 'records') {
      this.#sized(type.kind, flexible, true, name)
    } else this.#take(type.kind, widths[type.kind]!, name)
  }

  #sized(kind: 'text' | 'bytes' | 'records', flexible: boolean, wide: boolean, name: string): void {
    const length = this.#length(flexible, wide, name)
    if (length >= 0) this.#take(kind, length, name)
  }

  #length(flexible: boolean, wide: boolean, name: string): number {
    if (flexible) return this.#uvarint('compactLength', name) - 1
    if (wide) return this.#frame.readInt32BE(this.#take('length32', 4, name))
    return this.#frame.readInt16BE(this.#take('length16', 2, name))
  }

  #tagged(fields: Fields, version: number, name: string): void {
    const count = this.#uvarint('tagCount', name)
    for (let read = 0; read < count; read++) {
      const tag = this.#uvarint('tag', name)
      const end = this.#uvarint('tag', name) + this.#at
      const field = Object.entries(fields).find(([, candidate]) => candidate.tag === tag)
      if (field) this.#field(field[1], version, true, field[0])
      else this.#take('bytes', end - this.#at, name)
      if (this.#at !== end) throw new Astray()
    }
  }

  #uvarint(kind: SpanKind, name: string): number {
    let value = 0
    let length = 0
    for (;;) {
      const byte = this.#frame[this.#at + length]
      if (byte === undefined || length === 5) throw new Astray()
      value += (byte & 0x7f) * 2 ** (7 * length++)
      if (byte < 0x80) break
    }
    this.#take(kind, length, name)
    return value
  }

  #take(kind: SpanKind, bytes: number, name: string): number {
    const at = this.#at
    if (bytes < 0 || at + bytes > this.#frame.length) throw new Astray()
    this.spans.push({ kind, at, bytes, name })
    this.#at = at + bytes
    return at
  }
}
