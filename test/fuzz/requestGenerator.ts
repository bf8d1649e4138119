// Well-formed requests with arbitrary values: any value that the tables allow, drawn from names
// that exist in the broker and from extremes. They decode, so that handlers have to refuse them.

import { encodeRequest } from '../../protocol/kafka/frame.ts'
import {
  type Field,
  type Fields,
  type FieldType,
  zeroUuid,
} from '../../protocol/kafka/schema/fields.ts'
import type { Api, Message } from '../../protocol/kafka/schema/schema.ts'
import { includes } from '../../protocol/kafka/schema/versionRange.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import { sampleRequests } from '../broker/server/sampleRequests.ts'
import { oneIn, pick, trickyInt32, trickyInt64 } from './draw.ts'
import { soundBatch } from './forgedBatches.ts'

/** The resources of the broker under test, so that requests can be about them. */
export interface BrokerContents {
  readonly topics: readonly string[]
  readonly topicIds: readonly string[]
  readonly nowMs: () => number
}

const names = ['t', 'alone', 'tx', 'tx-2', 'm', 'join-1', 'consumer-0', 'range', 'consumer', '']
const oddNames = ['.', '..', 'a/b', 'über', '\u0000', 'x'.repeat(300), '__consumer_offsets', '-1']
const configs = ['retention.ms', 'cleanup.policy', 'segment.bytes', 'compression.type', 'nonsense']
const configValues = ['1', '-1', 'compact', 'delete', 'gzip', '14', '1000000', '']
const smallCounts = [1, 1, 2, 3, -1, 0, 10_001, 0x7fffffff]
const waitsMs = [0, 0, 1, 100, 10_000, 60_000, -1, 0x7fffffff]

/** Returns the sample request of a served API in one of its versions, without its length prefix. */
export function sampleFrame(api: Api, version: number): Buffer {
  return frameOf(api, version, sampleRequests[api.name]!(version))
}

export function generatedFrame(
  api: Api,
  version: number,
  random: Random,
  contents: BrokerContents,
): Buffer {
  const { fields } = api.request as unknown as Message<Fields>
  return frameOf(api, version, new Generator(version, random, contents).struct(fields))
}

/** Encodes a request without its length prefix. */
export function frameOf(api: Api, version: number, body: unknown): Buffer {
  const chunks = encodeRequest(api, version, { correlationId: 0, clientId: 'fuzz' }, body)
  return Buffer.concat(chunks).subarray(4)
}

class Generator {
  readonly #version: number
  readonly #random: Random
  readonly #contents: BrokerContents

  constructor(version: number, random: Random, contents: BrokerContents) {
    this.#version = version
    this.#random = random
    this.#contents = contents
  }

  struct(fields: Fields): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(fields)) {
      if (includes(field.versions, this.#version)) values[name] = this.#field(field, name)
    }
    return values
  }

  #field({ type, nullable, defaultValue }: Field, name: string): unknown {
    if (includes(nullable, this.#version) && oneIn(this.#random, 5)) return null
    if (defaultValue !== null && type.kind !== 'struct' && oneIn(this.#random, 5)) {
      return defaultValue
    }
    return this.#type(type, name)
  }

  #type(type: FieldType, name: string): unknown {
    const random = this.#random
    switch (type.kind) {
      case 'struct':
        return this.struct(type.fields)
      case 'array':
        return Array.from({ length: random.below(3) }, () => this.#type(type.element, name))
      case 'string':
        return this.#text(name)
      case 'uuid':
        return oneIn(random, 4) ? zeroUuid : pick(random, this.#contents.topicIds)
      case 'records':
        return soundBatch(random, this.#contents.nowMs())
      case 'bytes':
        return random.bytes(random.below(30))
      case 'bool':
        return oneIn(random, 2)
      case 'float64':
        return pick(random, [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e308])
      case 'bits64':
        return trickyInt64(random).readBigInt64BE()
      default:
        return this.#number(type.kind, name)
    }
  }

  #text(name: string): string {
    const random = this.#random
    if (oneIn(random, 12)) return pick(random, oddNames)
    if (/topic/i.test(name) || (name === 'name' && !oneIn(random, 3))) {
      return pick(random, this.#contents.topics)
    }
    if (name === 'resourceName') return pick(random, [...this.#contents.topics, '1', ''])
    if (/config|^name$/i.test(name)) return pick(random, [...configs, ...names])
    return pick(random, name === 'value' ? configValues : names)
  }

  #number(kind: 'int8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64', name: string): number {
    const random = this.#random
    if (/Ms$/.test(name)) return pick(random, waitsMs)
    if (name === 'acks') return pick(random, [-1, -1, -1, 1, 1, 0, 2])
    // A topic of thousands of partitions is legitimate, and tests nothing more than one of three.
    if (/^(numPartitions|count)$/.test(name)) return pick(random, smallCounts)
    if (!oneIn(random, 3)) return random.below(name === 'resourceType' ? 9 : 4)
    const number = kind === 'int64' ? trickyInt64(random).readBigInt64BE() : trickyInt32(random)
    return inRange(Number(number), kind)
  }
}

function inRange(value: number, kind: string): number {
  switch (kind) {
    case 'int8':
      return (value << 24) >> 24
    case 'int16':
      return (value << 16) >> 16
    case 'uint16':
      return value & 0xffff
    case 'uint32':
      return value >>> 0
    case 'int64':
      return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
    default:
      return value | 0
  }
}
