import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedError } from '../../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../../protocol/bytes/reader.ts'
import { ByteWriter } from '../../../../protocol/bytes/writer.ts'
import { createTopics } from '../../../../protocol/kafka/apis/createTopics.ts'
import { fetch } from '../../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../../protocol/kafka/apis/produce.ts'
import { apis } from '../../../../protocol/kafka/apis.ts'
import {
  groupMetadataValue,
  offsetCommitValue,
} from '../../../../protocol/kafka/coordinators/groupRecords.ts'
import { consumerProtocolSubscription } from '../../../../protocol/kafka/coordinators/groups.ts'
import { transactionLogValue } from '../../../../protocol/kafka/coordinators/transactionRecords.ts'
import { array, type Fields, int32, string } from '../../../../protocol/kafka/schema/fields.ts'
import { Message } from '../../../../protocol/kafka/schema/schema.ts'
import { UnsupportedFieldError } from '../../../../protocol/kafka/schema/structCodec.ts'
import { structArbitrary } from '../messageArbitrary.ts'

type AnyMessage = Message<Fields>

const messages: AnyMessage[] = [
  ...apis.flatMap(({ request, response }) => [request, response]),
  consumerProtocolSubscription.message,
  offsetCommitValue.message,
  groupMetadataValue.message,
  transactionLogValue.message,
].map((message) => message as AnyMessage)

function versionsOf({ versions }: AnyMessage): number[] {
  return Array.from({ length: versions.to - versions.from + 1 }, (_, at) => versions.from + at)
}

function encode(message: AnyMessage, value: unknown, version: number): Buffer {
  const writer = new ByteWriter()
  message.encode(writer, value as never, version)
  return writer.take()
}

function decode(message: AnyMessage, bytes: Uint8Array, version: number): unknown {
  return message.decode(new ByteReader(bytes), version)
}

/** Returns whether the bytes decode; throws on any error that is not a MalformedError. */
function decodesOrIsMalformed(message: AnyMessage, bytes: Uint8Array, version: number): boolean {
  try {
    decode(message, bytes, version)
    return true
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    return false
  }
}

describe.each(messages.map((message) => ({ name: message.name, message })))(
  '$name',
  ({ message }) => {
    const cases = versionsOf(message).map((version) => ({
      version,
      arbitrary: structArbitrary(message.fields, version),
    }))

    test('decodes what was encoded, in every version', () => {
      for (const { version, arbitrary } of cases) {
        fc.assert(
          fc.property(arbitrary, (value) => {
            const decoded = decode(message, encode(message, value, version), version)
            expect(decoded).toEqual(value)
            expect(Object.keys(decoded as object)).toEqual(Object.keys(message.fields))
          }),
          { numRuns: 15 },
        )
      }
    })

    test('fills in defaults of absent fields', () => {
      for (const { version, arbitrary } of cases) {
        const omitting = structArbitrary(message.fields, version, 'omitted')
        const options = { numRuns: 5, seed: version }
        const short = fc.sample(omitting, options)
        expect(
          short.map((value) => decode(message, encode(message, value, version), version)),
        ).toEqual(fc.sample(arbitrary, options))
      }
    })

    test('is malformed when truncated anywhere', () => {
      for (const { version, arbitrary } of cases) {
        const [value] = fc.sample(arbitrary, { numRuns: 1, seed: version })
        const bytes = encode(message, value, version)
        const step = Math.max(1, Math.floor(bytes.length / 300))
        for (let end = 0; end < bytes.length; end += step) {
          expect(decodesOrIsMalformed(message, bytes.subarray(0, end), version)).toBe(false)
        }
      }
    })

    test('survives bytes of any kind', () => {
      for (const { version } of cases) {
        fc.assert(
          fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
            decodesOrIsMalformed(message, bytes, version)
          }),
          { numRuns: 30 },
        )
      }
    })
  },
)

describe('untrusted lengths', () => {
  const plain = new Message(
    { items: array('0+', { name: string('0+'), size: int32('0+') }) },
    { name: 'Sample', versions: '0-1', flexibleFrom: 1, mayBeFollowed: false },
  ) as unknown as AnyMessage

  test('a count that cannot fit is refused before anything is allocated', () => {
    const bytes = Buffer.alloc(1004)
    bytes.writeInt32BE(0x7fffffff)
    expect(() => decode(plain, bytes, 0)).toThrow(/2147483647 elements in 1000 bytes/)
    bytes.writeInt32BE(167)
    expect(() => decode(plain, bytes, 0)).toThrow(/167 elements in 1000 bytes/)
    const compact = Buffer.from('ffffffff0f', 'hex')
    expect(() => decode(plain, compact, 1)).toThrow(MalformedError)
  })

  test('negative lengths other than null are refused', () => {
    expect(() => decode(plain, Buffer.from('fffffffe', 'hex'), 0)).toThrow(/length -2/)
  })

  test('null is refused where the version has none', () => {
    expect(() => decode(plain, Buffer.from('ffffffff', 'hex'), 0)).toThrow(/items is null/)
    expect(() => decode(plain, Buffer.from('0000', 'hex'), 1)).toThrow(/items is null/)
  })

  test('bytes after the message are refused', () => {
    expect(() => decode(plain, Buffer.from('0000000000', 'hex'), 0)).toThrow(/1 bytes after Sample/)
  })

  test('strings have the limit of their int16 length in compact form too', () => {
    const value = { items: [{ name: 'x'.repeat(32768), size: 1 }] }
    for (const version of [0, 1]) {
      expect(() => encode(plain, value, version)).toThrow(/32768 bytes exceeds 32767/)
    }
  })
})

describe('what a version cannot carry', () => {
  const request = produce.request as unknown as AnyMessage

  test('is refused if it would be lost', () => {
    const topic = {
      name: 't',
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }
    const value = { topics: [topic], timeoutMs: 1 }
    expect(
      decode(createTopics.request as never, encode(createTopics.request as never, value, 2), 2),
    ).toMatchObject(value)
    const follower = { maxWaitMs: 1, minBytes: 1, topics: [], replicaId: 3 }
    expect(() => encode(fetch.request as never, follower, 15)).toThrow(UnsupportedFieldError)
    expect(() => encode(fetch.request as never, follower, 15)).toThrow(/use a version in 0-14/)
    expect(() => encode(fetch.request as never, { ...follower, replicaId: -1 }, 15)).not.toThrow()
  })

  test('is dropped if it is ignorable', () => {
    const topicId = '0102030a-0000-0000-0000-000000000001'
    const value = { acks: 1, timeoutMs: 2, topicData: [{ name: 't', topicId, partitionData: [] }] }
    expect(decode(request, encode(request, value, 9), 9)).toMatchObject({
      topicData: [{ name: 't' }],
    })
    expect(decode(request, encode(request, value, 13), 13)).toMatchObject({
      topicData: [{ name: '', topicId }],
    })
  })

  test('null is refused in versions that have none', () => {
    expect(() => encode(metadata.request as never, { topics: null }, 0)).toThrow(
      /topics must not be null/,
    )
    expect(() => encode(metadata.request as never, { topics: null }, 1)).not.toThrow()
  })

  test('a required field must be given', () => {
    expect(() => encode(request, { acks: 1, topicData: [] }, 9)).toThrow(/timeoutMs is required/)
  })

  test('a version outside the range is a broken invariant', () => {
    expect(() => encode(request, { acks: 1, timeoutMs: 1, topicData: [] }, 14)).toThrow(
      /no version 14/,
    )
  })
})

describe('tagged fields', () => {
  const response = produce.response as unknown as AnyMessage
  const nothing = { responses: [] }

  test('are not sent when they are the default', () => {
    expect(encode(response, { ...nothing, nodeEndpoints: [] }, 10).toString('hex')).toBe(
      '010000000000',
    )
  })

  test('that are unknown are skipped', () => {
    // No responses, throttle 0, two tags: 5 with three bytes, 9 with none.
    const bytes = Buffer.from('01000000000205' + '03aabbcc' + '0900', 'hex')
    expect(decode(response, bytes, 10)).toMatchObject({ responses: [], nodeEndpoints: [] })
  })

  test('must fill their size', () => {
    // Tag 0 holds an empty array (one byte) but says two.
    const bytes = Buffer.from('01000000000100020100', 'hex')
    expect(() => decode(response, bytes, 10)).toThrow(/tag 0 does not fill its 2 bytes/)
  })
})
