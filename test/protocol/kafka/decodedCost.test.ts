// Decoding charges the allowance for every array of every request: at least the size of the
// objects, and before they are created.

import { describe, expect, it } from 'vitest'
import { servedApis } from '../../../broker/server/dispatch/dispatch.ts'
import { MemoryAllowance, TooCostlyError } from '../../../protocol/bytes/memoryAllowance.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { decodeRequest, decodeRequestHeader, encodeRequest } from '../../../protocol/kafka/frame.ts'
import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import { arraysOf, bodyWith, smallestElement } from '../../fuzz/tinyElements.ts'

const count = 1000

/**
 * Minimum size of a value in memory, if every number and reference takes one word and the header of
 * an object three.
 */
function leastBytes(value: unknown): number {
  if (Array.isArray(value)) return 32 + 8 * value.length + sum(value.map(leastBytes))
  if (value instanceof Uint8Array) return 96
  if (typeof value === 'object' && value !== null) {
    const fields = Object.values(value)
    return 24 + 8 * fields.length + sum(fields.map(leastBytes))
  }
  return 0
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

function decode(api: Api, version: number, frame: Buffer, limitBytes: number): MemoryAllowance {
  const allowance = new MemoryAllowance(limitBytes)
  const reader = new ByteReader(frame, 4, frame.length, allowance)
  decodeRequestHeader(reader)
  decodeRequest(api, version, reader)
  return allowance
}

const cases = servedApis.map((api) => {
  const versions = [api.minVersion, api.maxVersion]
  const places = versions.flatMap((version) =>
    arraysOf(api, version).map((place) => ({ version, place })),
  )
  return { name: api.name, api, places }
})

describe.each(cases.filter(({ places }) => places.length > 0))(
  'a request $name',
  ({ api, places }) => {
    it('is charged for all elements before any is created', () => {
      for (const { version, place } of places) {
        const what = `${place.path} in version ${version}`
        const body = bodyWith(api, version, place, count)
        const frame = Buffer.concat(
          encodeRequest(api, version, { correlationId: 0, clientId: null }, body),
        )
        const { takenBytes } = decode(api, version, frame, Infinity)
        const least = count * (8 + leastBytes(smallestElement(place, version)))
        expect(takenBytes, what).toBeGreaterThanOrEqual(least)
        // Enough for all elements except for one.
        const tooLittle = takenBytes - takenBytes / count
        expect(() => decode(api, version, frame, tooLittle), what).toThrow(TooCostlyError)
      }
    })
  },
)
