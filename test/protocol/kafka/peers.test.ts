// The tables compared with two independent clients: a table with an error in one version would
// still pass a round trip.

import { createRequire } from 'node:module'
import * as platformatic from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { apis } from '../../../protocol/kafka/apis.ts'
import { ErrorCode, errorName, isRetriable } from '../../../protocol/kafka/errors.ts'
import { decodeRequestHeader } from '../../../protocol/kafka/frame.ts'
import type { Fields } from '../../../protocol/kafka/schema/fields.ts'
import type { Api, Message } from '../../../protocol/kafka/schema/schema.ts'
import { structArbitrary } from './messageArbitrary.ts'

const kafkajs = (path: string) => createRequire(import.meta.url)(`kafkajs/src/protocol/${path}`)

type Parse = (correlationId: number, key: number, version: number, reader: unknown) => unknown

const theirs = platformatic as unknown as Record<
  string,
  { parseResponse?: Parse; from(bytes: Buffer): { remaining: number } }
>

function parserOf(api: Api, version: number): Parse | undefined {
  const name = `${api.name[0]!.toLowerCase()}${api.name.slice(1)}V${version}`
  return theirs[name]?.parseResponse
}

/** Removes error codes and records: platformatic throws on codes and opens record batches. */
function quiet(value: unknown, key = ''): unknown {
  if (/errorCode$/i.test(key)) return 0
  if (key === 'records' || key === 'batchIndexErrorMessage') return null
  if (Array.isArray(value)) return value.map((item) => quiet(item))
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, quiet(item, name)]))
}

/** `value` without the fields that `other` lacks: some names differ between the two projects. */
function shared(value: unknown, other: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) {
    const items = other as unknown[]
    return value.map((item, at) => shared(item, items[at]))
  }
  if (typeof value !== 'object' || value === null) return value
  if (typeof other !== 'object' || other === null) return undefined
  const names = Object.keys(value).filter((name) => name in other)
  return Object.fromEntries(
    names.map((name) => [name, shared((value as Values)[name], (other as Values)[name])]),
  )
}

type Values = Record<string, unknown>

const responses = apis.flatMap((api) =>
  Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, at) => api.minVersion + at)
    .filter((version) => parserOf(api, version) !== undefined)
    .map((version) => ({ name: api.name, version, api })),
)

test('platformatic knows most of our APIs', () => {
  expect(responses.length).toBeGreaterThan(150)
})

test.each(responses)('platformatic reads our $name response v$version', ({ api, version }) => {
  const message = api.response as unknown as Message<Fields>
  fc.assert(
    fc.property(structArbitrary(message.fields, version, 'omitted'), (value) => {
      const writer = new ByteWriter()
      const ours = quiet(value)
      message.encode(writer, ours as never, version)
      const reader = theirs.Reader!.from(writer.take())
      const parsed = parserOf(api, version)!(1, api.key, version, reader)
      expect(reader.remaining).toBe(0)
      expect(shared(parsed, ours)).toEqual(shared(ours, parsed))
    }),
    { numRuns: 20 },
  )
})

describe('requests of kafkajs', () => {
  async function decoded(api: Api, request: { apiVersion: number }) {
    const encoder = await kafkajs('request')({ correlationId: 3, clientId: 'js', request })
    const reader = new ByteReader(encoder.buffer, 4)
    expect(decodeRequestHeader(reader)).toEqual({
      apiKey: api.key,
      apiVersion: request.apiVersion,
      correlationId: 3,
      clientId: 'js',
    })
    return api.request.decode(reader, request.apiVersion)
  }

  test('Metadata v1 and v6', async () => {
    for (const version of [1, 6]) {
      const request = kafkajs(`requests/metadata/v${version}/request`)
      const body = await decoded(metadata, request({ topics: ['a', 'b'] }))
      expect(body).toMatchObject({ topics: [{ name: 'a' }, { name: 'b' }] })
    }
  })

  test('Fetch v4 and v11', async () => {
    for (const version of [4, 11]) {
      const partition = {
        partition: 2,
        currentLeaderEpoch: -1,
        fetchOffset: 5_000_000_000,
        logStartOffset: -1,
        maxBytes: 9,
      }
      const body = await decoded(
        fetch,
        kafkajs(`requests/fetch/v${version}/request`)({
          replicaId: -1,
          maxWaitTime: 5,
          minBytes: 6,
          maxBytes: 7,
          isolationLevel: 1,
          topics: [{ topic: 't', partitions: [partition] }],
        }),
      )
      expect(body).toMatchObject({
        maxWaitMs: 5,
        minBytes: 6,
        maxBytes: 7,
        isolationLevel: 1,
        topics: [
          {
            topic: 't',
            partitions: [{ partition: 2, fetchOffset: 5_000_000_000, partitionMaxBytes: 9 }],
          },
        ],
      })
    }
  })

  test('JoinGroup v5, OffsetCommit v5, ListOffsets v3', async () => {
    const join = kafkajs('requests/joinGroup/v5/request')({
      groupId: 'g',
      sessionTimeout: 1,
      rebalanceTimeout: 2,
      memberId: 'm',
      protocolType: 'consumer',
      groupProtocols: [{ name: 'range', metadata: Buffer.from('x') }],
    })
    expect(await decoded(joinGroup, join)).toMatchObject({
      groupId: 'g',
      sessionTimeoutMs: 1,
      rebalanceTimeoutMs: 2,
      memberId: 'm',
      groupInstanceId: null,
      protocols: [{ name: 'range', metadata: Buffer.from('x') }],
    })
    const commit = kafkajs('requests/offsetCommit/v5/request')({
      groupId: 'g',
      groupGenerationId: 4,
      memberId: 'm',
      topics: [{ topic: 't', partitions: [{ partition: 1, offset: '12' }] }],
    })
    expect(await decoded(offsetCommit, commit)).toMatchObject({
      generationIdOrMemberEpoch: 4,
      topics: [{ name: 't', partitions: [{ partitionIndex: 1, committedOffset: 12 }] }],
    })
    const list = kafkajs('requests/listOffsets/v3/request')({
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ topic: 't', partitions: [{ partition: 1, timestamp: -2 }] }],
    })
    expect(await decoded(listOffsets, list)).toMatchObject({
      topics: [{ name: 't', partitions: [{ partitionIndex: 1, timestamp: -2 }] }],
    })
  })
})

describe('error codes', () => {
  const known = Object.values(
    (platformatic as unknown as { protocolErrors: Record<string, PeerError> }).protocolErrors,
  )

  test('have the numbers and names that platformatic has', () => {
    expect(known.length).toBeGreaterThan(120)
    for (const { id, code } of known) expect(errorName(code)).toBe(id)
  })

  test('have no gaps and no duplicates', () => {
    const codes = Object.values(ErrorCode).sort((a, b) => a - b)
    expect(codes).toEqual(codes.map((_, at) => at - 1))
    expect(errorName(999)).toBe('UNKNOWN_ERROR_CODE_999')
  })

  test('are retriable where platformatic says so', () => {
    const differing = known.filter(({ code, canRetry }) => isRetriable(code) !== canRetry)
    expect(differing.map(({ id }) => id)).toEqual([])
  })
})

interface PeerError {
  readonly id: string
  readonly code: number
  readonly canRetry: boolean
}
