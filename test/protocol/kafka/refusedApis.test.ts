// The responses of refused APIs compared with Kafka's own message tables, in every version: a
// reader generated from the tables must find the error and no extra bytes. The tables are not part
// of this project; without ../shared this test is skipped, and says so.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { apis, refusedApis } from '../../../protocol/kafka/apis.ts'
import { encodeResponse } from '../../../protocol/kafka/frame.ts'
import type { Api, Message } from '../../../protocol/kafka/schema/schema.ts'
import { versionRange } from '../../../protocol/kafka/schema/versionRange.ts'
import { sharedFile } from '../../sharedFile.ts'

const tables = sharedFile('reference/kafka-messages-4.4.jsonl')

interface TableField {
  readonly name: string
  readonly type: string
  readonly versions: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly fields?: readonly TableField[]
}

interface Table {
  readonly apiKey: number
  readonly type: string
  readonly name: string
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly fields: readonly TableField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: TableField[] }[]
}

const read = (): Table[] =>
  readFileSync(tables!, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Table)

function has(versions: string | undefined, version: number): boolean {
  if (versions === undefined || versions === 'none') return false
  const { from, to } = versionRange(versions)
  return version >= from && version <= to
}

class TableReader {
  readonly #reader: ByteReader
  readonly #table: Table
  readonly #version: number
  readonly #flexible: boolean

  constructor(bytes: Buffer, table: Table, version: number) {
    this.#reader = new ByteReader(bytes)
    this.#table = table
    this.#version = version
    this.#flexible = has(table.flexibleVersions, version)
  }

  response(): { value: unknown; remaining: number } {
    this.#reader.int32()
    if (this.#flexible) this.#reader.uvarint()
    return { value: this.#struct(this.#table.fields), remaining: this.#reader.remaining }
  }

  #struct(fields: readonly TableField[]): Record<string, unknown> {
    const value: Record<string, unknown> = {}
    for (const field of fields) {
      const isTagged = has(field.taggedVersions, this.#version)
      if (!has(field.versions, this.#version) || isTagged) continue
      value[field.name] = this.#value(field.type, field)
    }
    if (this.#flexible) expect(this.#reader.uvarint()).toBe(0)
    return value
  }

  #value(type: string, field: TableField): unknown {
    const reader = this.#reader
    if (type.startsWith('[]')) {
      const count = this.#flexible ? reader.uvarint() - 1 : reader.int32()
      if (count < 0) return this.#null(field)
      return Array.from({ length: count }, () => this.#value(type.slice(2), field))
    }
    switch (type) {
      case 'bool':
      case 'int8':
        return reader.int8()
      case 'int16':
        return reader.int16()
      case 'int32':
        return reader.int32()
      case 'int64':
        return reader.int64()
      case 'uuid':
        return reader.view(16).toString('hex')
      case 'string':
      case 'bytes':
      case 'records': {
        const plain = () => (type === 'string' ? reader.int16() : reader.int32())
        const length = this.#flexible ? reader.uvarint() - 1 : plain()
        return length < 0 ? this.#null(field) : reader.utf8(length)
      }
      default:
        return this.#nested(type, field)
    }
  }

  #nested(type: string, field: TableField): unknown {
    const isOne = !field.type.startsWith('[]')
    if (isOne && has(field.nullableVersions, this.#version) && this.#reader.int8() < 0) return null
    const common = this.#table.commonStructs?.find(({ name }) => name === type)
    return this.#struct(field.fields ?? common!.fields)
  }

  #null(field: TableField): null {
    expect(has(field.nullableVersions, this.#version), field.name).toBe(true)
    return null
  }
}

/** A request with one element in each list, so that its answer has an error for each element. */
function filled(fields: Message<never>['fields']): unknown {
  return Object.fromEntries(
    Object.entries(fields as Record<string, { type: never; defaultValue: unknown }>).map(
      ([name, { type, defaultValue }]) => [name, filledValue(type, defaultValue)],
    ),
  )
}

function filledValue(
  type: { kind: string; element?: never; fields?: never },
  defaultValue: unknown,
): unknown {
  if (type.kind === 'struct') return filled(type.fields!)
  if (type.kind !== 'array') return defaultValue
  const element = type.element as unknown as { kind: string }
  const zero = element.kind === 'string' ? 'name' : 7
  return [filledValue(element as never, zero)]
}

describe.runIf(tables)('a refusal', () => {
  const responses = tables ? read().filter(({ type }) => type === 'response') : []
  const error = { errorCode: 35, errorMessage: 'not served' }

  test.each(refusedApis.map(({ api, refuse }) => ({ name: api.name, api, refuse })))(
    'of $name can be read by the tables of Kafka, in every version',
    ({ api, refuse }) => {
      const table = responses.find(({ apiKey }) => apiKey === api.key)!
      expect(`${api.name}Response`).toBe(table.name)
      expect(versionRange(table.validVersions)).toMatchObject({
        from: api.minVersion,
        to: api.maxVersion,
      })
      const { fields } = api.request as unknown as Message<never>
      for (let version = api.minVersion; version <= api.maxVersion; version++) {
        expect(version >= api.flexibleFrom).toBe(has(table.flexibleVersions, version))
        const body = refuse(filled(fields), error)
        const frame = Buffer.concat(encodeResponse(api as Api, version, 1, body as never))
        const { value, remaining } = new TableReader(frame.subarray(4), table, version).response()
        expect(remaining, `v${version}`).toBe(0)
        expect(JSON.stringify(value), `v${version}`).toContain('"ErrorCode":35')
      }
    },
  )

  test('exists for every Kafka API that is not declared completely', () => {
    const known = new Set([...apis, ...refusedApis.map(({ api }) => api)].map(({ key }) => key))
    const missing = responses
      .filter(({ validVersions }) => validVersions !== 'none')
      .filter(({ apiKey }) => !known.has(apiKey))
    expect(missing.map(({ name }) => name)).toEqual([])
  })
})
