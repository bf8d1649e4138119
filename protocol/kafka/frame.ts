// What stands around every message: the int32 length, and the header, whose version follows from
// API and version. Requests of flexible versions have header 2, others 1; responses 1 and 0, but
// ApiVersions always 0, since a client reads it before it knows what the broker speaks (KIP-511).
// Nothing here reads a socket.

import { MalformedError } from '../bytes/malformed.ts'
import type { ByteReader } from '../bytes/reader.ts'
import { apiVersions } from './apis/apiVersions.ts'
import { apiByKey } from './apis.ts'
import { ChunkWriter } from './chunkWriter.ts'
import { primitiveCodec } from './primitiveCodec.ts'
import type {
  Api,
  MessageCodec,
  RequestInput,
  RequestOf,
  ResponseInput,
  ResponseOf,
} from './schema.ts'
import { skipTagged } from './structCodec.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** Not compact even in header 2, so that a broker can read it whatever the version. */
const clientIdCodec = primitiveCodec('string', {
  flexible: false,
  nullable: true,
  where: 'request header clientId',
})

// Encoding is synchronous and does not nest, so one writer's memory serves all messages.
const writer = new ChunkWriter(4096)

/**
 * A whole request frame as chunks for writev. Large `records` are in it by reference: they must not
 * change before they are sent.
 */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  header: Pick<RequestHeader, 'correlationId' | 'clientId'>,
  body: RequestInput<A>,
): Buffer[] {
  startFrame()
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(header.correlationId)
  clientIdCodec.encode(writer, header.clientId)
  if (version >= api.flexibleFrom) writer.uvarint(0)
  return finishFrame(api.request, body, version)
}

/** A whole response frame as chunks for writev; large `records` are in it by reference. */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  body: ResponseInput<A>,
): Buffer[] {
  startFrame()
  writer.int32(correlationId)
  if (hasFlexibleResponseHeader(api, version)) writer.uvarint(0)
  return finishFrame(api.response, body, version)
}

/**
 * Reads the header of a request, after the length. Of an API that is not known only the part that
 * all headers share is read. Throws MalformedError.
 */
export function decodeRequestHeader(reader: ByteReader): RequestHeader {
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const clientId = clientIdCodec.decode(reader) as string | null
  const api = apiByKey(apiKey)
  if (api !== undefined && apiVersion >= api.flexibleFrom) skipTagged(reader)
  return { apiKey, apiVersion, correlationId, clientId }
}

/**
 * Reads the body after its header; `reader` is left where the last field ends, which need not be the
 * end of the frame. Throws MalformedError.
 */
export function decodeRequest<A extends Api>(
  api: A,
  version: number,
  reader: ByteReader,
): RequestOf<A> {
  return api.request.decode(reader, version) as RequestOf<A>
}

/** Reads a whole response, after the length. Throws MalformedError. */
export function decodeResponse<A extends Api>(
  api: A,
  version: number,
  reader: ByteReader,
): { correlationId: number; body: ResponseOf<A> } {
  const correlationId = reader.int32()
  if (hasFlexibleResponseHeader(api, version)) skipTagged(reader)
  const body = api.response.decode(reader, version) as ResponseOf<A>
  return { correlationId, body }
}

function hasFlexibleResponseHeader(api: Api, version: number): boolean {
  return version >= api.flexibleFrom && api.key !== apiVersions.key
}

function startFrame(): void {
  // A message that failed half way may have left something.
  writer.reset()
  writer.int32(0)
}

function finishFrame(message: MessageCodec<unknown>, body: unknown, version: number): Buffer[] {
  message.encode(writer, body, version)
  writer.patchInt32(0, writer.totalBytes - 4)
  return writer.takeChunks()
}

/** What the first four bytes of a stream are in protocols that Kafka's ports are mistaken for. */
const httpBeginnings = [
  'GET ',
  'HEAD',
  'POST',
  'PUT ',
  'PATC',
  'DELE',
  'OPTI',
  'CONN',
  'PRI ',
  'HTTP',
]
/** The record type `handshake`, and the major version that all of TLS has. */
const tlsHandshake = 0x1603

function foreignProtocol(length: number): 'HTTP' | 'TLS' | undefined {
  if (length >>> 16 === tlsHandshake) return 'TLS'
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(length)
  return httpBeginnings.includes(bytes.toString('latin1')) ? 'HTTP' : undefined
}

/** A part of a frame that is smaller than this is copied; a larger one is kept as it came. */
const gatheredBelowBytes = 4 * 1024
const gatheredBlockBytes = 16 * 1024

/**
 * Cuts a stream of chunks into frames. A frame that lies within one chunk is a view of it; one that
 * spans several is put together once, when its last byte is there, so that the work is linear and
 * memory is held only for bytes that have really come: small chunks are gathered, since a sender of
 * single bytes would have each of them kept as an object, or keep a whole block of memory alive.
 */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  readonly #allocate: (bytes: number) => Buffer
  #pending: Buffer[] = []
  #pendingBytes = 0
  #heldBytes = 0
  /** The block that the last pending part is the beginning of, when that was gathered. */
  #gathered: { readonly block: Buffer; used: number } | undefined
  /** Length of the frame under way, its prefix included; 0 while the prefix is incomplete. */
  #frameBytes = 0

  /** `allocate` gives the memory for a frame that is put together. */
  constructor(maxFrameBytes: number, allocate: (bytes: number) => Buffer = Buffer.allocUnsafe) {
    this.#maxFrameBytes = maxFrameBytes
    this.#allocate = allocate
  }

  /** Bytes that have come of a frame that is not complete. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Memory that they take. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * The frames that `chunk` completes, without their length prefixes. Throws MalformedError for a
   * length that is negative or above the limit; the stream cannot be read on after that.
   */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let from = 0
    while (from < chunk.length) {
      if (this.#frameBytes === 0) this.#frameBytes = this.#readLength(chunk, from)
      const wanted = (this.#frameBytes === 0 ? 4 : this.#frameBytes) - this.#pendingBytes
      const to = Math.min(from + wanted, chunk.length)
      const part = chunk.subarray(from, to)
      from = to
      if (this.#frameBytes > 0 && part.length === wanted) frames.push(this.#complete(part))
      else this.#keep(part)
    }
    return frames
  }

  /** Lets go of a frame that is not complete; the stream cannot be read on in the middle of it. */
  clear(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#heldBytes = 0
    this.#gathered = undefined
    this.#frameBytes = 0
  }

  /** The frame's length with its prefix, or 0 when not all four bytes of that are there. */
  #readLength(chunk: Buffer, from: number): number {
    const missing = 4 - this.#pendingBytes
    if (chunk.length - from < missing) return 0
    const length =
      missing === 4
        ? chunk.readInt32BE(from)
        : Buffer.concat([...this.#pending, chunk.subarray(from, from + missing)], 4).readInt32BE(0)
    if (length < 0 || length > this.#maxFrameBytes) {
      const foreign = foreignProtocol(length)
      throw new MalformedError(
        foreign === undefined
          ? `a frame of ${length} bytes; at most ${this.#maxFrameBytes} are read`
          : `this looks like ${foreign}, and only the Kafka protocol is spoken here`,
      )
    }
    return length + 4
  }

  #keep(part: Buffer): void {
    this.#pendingBytes += part.length
    if (part.length >= gatheredBelowBytes) {
      this.#pending.push(part)
      this.#heldBytes += part.length
      this.#gathered = undefined
    } else {
      this.#gather(part)
    }
  }

  /** Copies the part behind the small ones before it; what it does not fit into is left as it is. */
  #gather(part: Buffer): void {
    const last = this.#gathered
    if (last && last.used + part.length <= last.block.length) {
      part.copy(last.block, last.used)
      last.used += part.length
      this.#pending[this.#pending.length - 1] = last.block.subarray(0, last.used)
      return
    }
    const block = Buffer.allocUnsafeSlow(Math.max(part.length, last ? gatheredBlockBytes : 64))
    part.copy(block)
    this.#gathered = { block, used: part.length }
    this.#heldBytes += block.length
    this.#pending.push(block.subarray(0, part.length))
  }

  #complete(last: Buffer): Buffer {
    if (this.#pendingBytes === 0) {
      this.#frameBytes = 0
      return last.subarray(4)
    }
    const frame = this.#allocate(this.#frameBytes)
    let at = 0
    for (const part of this.#pending) at += part.copy(frame, at)
    last.copy(frame, at)
    this.clear()
    return frame.subarray(4)
  }
}
