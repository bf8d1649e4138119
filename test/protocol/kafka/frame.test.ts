import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import {
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  FrameSplitter,
} from '../../../protocol/kafka/frame.ts'

const hex = (chunks: Buffer[]) => Buffer.concat(chunks).toString('hex')

describe('frames, byte for byte', () => {
  const header = { correlationId: 7, clientId: 'me' }

  test('ApiVersions request v0: header 1, no body', () => {
    expect(hex(encodeRequest(apiVersions, 0, header, {}))).toBe(
      '0000000c' + '0012' + '0000' + '00000007' + '00026d65',
    )
  })

  test('ApiVersions request v3: header 2 with a plain client id, compact strings, tags', () => {
    const body = { clientSoftwareName: 'millrace', clientSoftwareVersion: '1' }
    expect(hex(encodeRequest(apiVersions, 3, header, body))).toBe(
      '00000019' +
        '0012' +
        '0003' +
        '00000007' +
        '00026d65' +
        '00' +
        '09' +
        '6d696c6c72616365' +
        '02' +
        '31' +
        '00',
    )
  })

  test('Metadata request v1: null requests all topics, an empty array none', () => {
    const anonymous = { correlationId: 1, clientId: null }
    const head = '0003' + '0001' + '00000001' + 'ffff'
    expect(hex(encodeRequest(metadata, 1, anonymous, { topics: null }))).toBe(
      `0000000e${head}ffffffff`,
    )
    expect(hex(encodeRequest(metadata, 1, anonymous, { topics: [{ name: 'ab' }] }))).toBe(
      `00000012${head}0000000100026162`,
    )
  })

  test('Metadata response v9 has header 1', () => {
    const body = { brokers: [], clusterId: null, controllerId: 1, topics: [] }
    expect(hex(encodeResponse(metadata, 9, 5, body))).toBe(
      '00000015' +
        '00000005' +
        '00' +
        '00000000' +
        '01' +
        '00' +
        '00000001' +
        '01' +
        '80000000' +
        '00',
    )
  })

  test('ApiVersions response v3 has header 0', () => {
    const body = { errorCode: 0, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] }
    expect(hex(encodeResponse(apiVersions, 3, 5, body))).toBe(
      '00000013' + '00000005' + '0000' + '02' + '0012' + '0000' + '0004' + '00' + '00000000' + '00',
    )
  })
})

describe('headers', () => {
  test('a request round-trips with its header and body', () => {
    const records = Buffer.from('batch')
    const body = {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 3, records }] }],
    }
    for (const version of [3, 8, 9, 12]) {
      const header = { correlationId: version, clientId: null }
      const frame = Buffer.concat(encodeRequest(produce, version, header, body))
      const reader = new ByteReader(frame, 4)
      expect(decodeRequestHeader(reader)).toEqual({ apiKey: 0, apiVersion: version, ...header })
      expect(decodeRequest(produce, version, reader)).toMatchObject(body)
    }
  })

  test('a response round-trips with its correlation id', () => {
    const body = { errorCode: 35, apiKeys: [] }
    for (const version of [0, 3, 4]) {
      const frame = Buffer.concat(encodeResponse(apiVersions, version, 9, body))
      const decoded = decodeResponse(apiVersions, version, new ByteReader(frame, 4))
      expect(decoded).toMatchObject({ correlationId: 9, body })
    }
  })

  test('a request may be followed by bytes, which stay unread; a response may not', () => {
    const request = encodeRequest(
      metadata,
      12,
      { correlationId: 1, clientId: 'me' },
      { topics: null },
    )
    const reader = new ByteReader(Buffer.concat([...request, Buffer.alloc(3)]), 4)
    decodeRequestHeader(reader)
    expect(decodeRequest(metadata, 12, reader)).toMatchObject({ topics: null })
    expect(reader.remaining).toBe(3)
    const answer = { brokers: [], clusterId: null, controllerId: 1, topics: [] }
    const response = Buffer.concat([...encodeResponse(metadata, 12, 1, answer), Buffer.alloc(3)])
    expect(() => decodeResponse(metadata, 12, new ByteReader(response, 4))).toThrow(
      /3 bytes after Metadata response v12/,
    )
  })

  test('the header of an unknown API is read as far as all headers have the same fields', () => {
    const reader = new ByteReader(Buffer.from('7fff' + '0001' + '00000002' + '0001' + '78', 'hex'))
    expect(decodeRequestHeader(reader)).toEqual({
      apiKey: 0x7fff,
      apiVersion: 1,
      correlationId: 2,
      clientId: 'x',
    })
  })

  test('truncated headers are malformed', () => {
    const frame = Buffer.concat(
      encodeRequest(apiVersions, 3, { correlationId: 1, clientId: 'me' }, {}),
    )
    for (let end = 4; end < 17; end++) {
      expect(() => decodeRequestHeader(new ByteReader(frame, 4, end))).toThrow(MalformedError)
    }
  })
})

describe('records in a response', () => {
  const response = (records: Buffer | null) => ({
    responses: [
      {
        topic: 't',
        partitions: [
          { partitionIndex: 0, errorCode: 0, highWatermark: 9, abortedTransactions: null, records },
        ],
      },
    ],
  })

  test('are passed by reference when large', () => {
    const records = Buffer.alloc(100_000, 1)
    const chunks = encodeResponse(fetch, 12, 1, response(records))
    expect(chunks).toHaveLength(3)
    expect(chunks[1]).toBe(records)
    const frame = Buffer.concat(chunks)
    expect(frame.readInt32BE(0)).toBe(frame.length - 4)
    const { body } = decodeResponse(fetch, 12, new ByteReader(frame, 4))
    expect(body.responses[0]!.partitions[0]!.records!.equals(records)).toBe(true)
  })

  test('are copied into one chunk when small', () => {
    expect(encodeResponse(fetch, 12, 1, response(Buffer.alloc(100)))).toHaveLength(1)
  })

  test('encoding a frame does not overwrite the previous frame', () => {
    const first = encodeResponse(fetch, 12, 1, response(null))
    const before = hex(first)
    encodeResponse(fetch, 12, 2, response(Buffer.alloc(500, 9)))
    expect(hex(first)).toBe(before)
  })

  test('a message that failed to encode leaves no bytes in the next frame', () => {
    const header = { correlationId: 1, clientId: null }
    const good = hex(encodeRequest(metadata, 1, header, { topics: [] }))
    const bad = { topics: [{ name: 'x'.repeat(40_000) }] }
    expect(() => encodeRequest(metadata, 1, header, bad)).toThrow(RangeError)
    expect(hex(encodeRequest(metadata, 1, header, { topics: [] }))).toBe(good)
  })
})

describe('FrameSplitter', () => {
  function framed(payloads: readonly Uint8Array[]): Buffer {
    return Buffer.concat(
      payloads.flatMap((payload) => {
        const prefix = Buffer.alloc(4)
        prefix.writeInt32BE(payload.length)
        return [prefix, payload]
      }),
    )
  }

  test('returns the same frames for any chunking of the stream', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 })
    const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(payloads, cuts, (frames, sizes) => {
        const stream = framed(frames)
        const splitter = new FrameSplitter(100)
        const found: Buffer[] = []
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length]!
          found.push(...splitter.push(stream.subarray(at, at + size)))
          at += size
        }
        expect(found.map((frame) => [...frame])).toEqual(frames.map((frame) => [...frame]))
        expect(splitter.pendingBytes).toBe(0)
      }),
    )
  })

  test('a frame within one chunk is a view of it', () => {
    const chunk = framed([Buffer.from('abc'), Buffer.from('de')])
    const [first, second] = new FrameSplitter(100).push(chunk)
    expect(first!.buffer).toBe(chunk.buffer)
    expect([first!.toString(), second!.toString()]).toEqual(['abc', 'de'])
  })

  test('a frame over several chunks lies in the memory that was allocated for it', () => {
    const allocated: Buffer[] = []
    const splitter = new FrameSplitter(100, (bytes) => {
      allocated.push(Buffer.alloc(bytes))
      return allocated.at(-1)!
    })
    const stream = framed([Buffer.from('whole'), Buffer.from('in pieces')])
    expect(splitter.push(stream.subarray(0, 12))).toHaveLength(1)
    expect(splitter.push(stream.subarray(12, 17))).toHaveLength(0)
    expect(allocated).toHaveLength(0)
    const [frame] = splitter.push(stream.subarray(17))
    expect(frame!.toString()).toBe('in pieces')
    expect(allocated.map(({ buffer }) => buffer)).toEqual([frame!.buffer])
  })

  test.each(['ffffffff', '80000000', '00000065'])('refuses the length %s', (length) => {
    const bytes = Buffer.from(length, 'hex')
    expect(() => new FrameSplitter(100).push(bytes)).toThrow(MalformedError)
    const slowly = new FrameSplitter(100)
    slowly.push(bytes.subarray(0, 3))
    expect(() => slowly.push(bytes.subarray(3))).toThrow(MalformedError)
  })

  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['HTTP', Buffer.from('POST /topics HTTP/1.1\r\n')],
    ['HTTP', Buffer.from('PRI * HTTP/2.0\r\n')],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
    ['TLS', Buffer.from('160301020001', 'hex')],
    ['TLS', Buffer.from('160303020001', 'hex')],
  ])('names %s in the error for a stream of another protocol', (protocol, bytes) => {
    const usualMaxBytes = 100 * 1024 * 1024
    expect(() => new FrameSplitter(usualMaxBytes).push(bytes)).toThrow(`received ${protocol}`)
    const slowly = new FrameSplitter(usualMaxBytes)
    expect(slowly.push(bytes.subarray(0, 2))).toEqual([])
    expect(() => slowly.push(bytes.subarray(2))).toThrow(`received ${protocol}`)
  })

  test('holds no more than the received bytes, whatever length the frame claims', () => {
    const splitter = new FrameSplitter(1_000_000_000)
    splitter.push(Buffer.from('3b9aca00' + '00', 'hex'))
    expect(splitter.pendingBytes).toBe(5)
    expect(splitter.heldBytes).toBeLessThan(100)
  })

  test('holds little more than the received bytes, however small the chunks', () => {
    const payload = Buffer.from(Array.from({ length: 50_000 }, (_, at) => at & 0xff))
    const stream = framed([payload])
    for (const sizes of [[1], [1, 7, 4000], [1, 4096], [5000, 3]]) {
      const splitter = new FrameSplitter(100_000)
      const found: Buffer[] = []
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length]!
        found.push(...splitter.push(stream.subarray(at, at + size)))
        at += size
        expect(splitter.heldBytes).toBeLessThanOrEqual(5 * splitter.pendingBytes + 20_000)
      }
      expect(found).toEqual([payload])
      expect(splitter.heldBytes).toBe(0)
    }
  })
})
