// Framing of messages: the int32 length and the header, whose version follows from the API and its
// version. Requests of flexible versions have header 2, others 1; responses 1 and 0, except
// ApiVersions, always 0, because a client reads it before it knows the broker's versions (KIP-511).
// Must never read a socket.

import { MalformedError } from '../bytes/malformed.ts'
import type { ByteReader } from '../bytes/reader.ts'
import { apiVersions } from './apis/apiVersions.ts'
import { apiByKey } from './apis.ts'
import { ChunkWriter } from './chunkWriter.ts'
import { primitiveCodec } from './schema/primitiveCodec.ts'
import type {
  Api,
  MessageCodec,
  RequestInput,
  RequestOf,
  ResponseInput,
  ResponseOf,
} from './schema/schema.ts'
import { skipTagged } from './schema/structCodec.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** Not compact even in header 2, so that a broker can read it in any version. */
const clientIdCodec = primitiveCodec('string', {
  flexible: false,
  nullable: true,
  where: 'request header clientId',
})

// Encoding is synchronous and not reentrant, so that one writer serves all messages.
const writer = new ChunkWriter(4096)

/**
 * Returns a request frame as chunks for writev. Large `records` are referenced: they must not
 * change until they are sent.
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

/** Returns a response frame as chunks for writev; large `records` are referenced. */
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
 * Reads the header of a request, after the length. For an unknown API, reads only the common part
 * of all headers. Throws MalformedError.
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
 * Reads the body after the header; `reader` is left after the last field, which may be before the
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
  // A message that failed while being encoded may have left bytes behind.
  writer.reset()
  writer.int32(0)
}

function finishFrame(message: MessageCodec<unknown>, body: unknown, version: number): Buffer[] {
  message.encode(writer, body, version)
  writer.patchInt32(0, writer.totalBytes - 4)
  return writer.takeChunks()
}

/** First four bytes of protocols that are sent to Kafka ports by mistake. */
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
/** Record type `handshake` and the major version of all TLS versions. */
const tlsHandshake = 0x1603

function foreignProtocol(length: number): 'HTTP' | 'TLS' | undefined {
  if (length >>> 16 === tlsHandshake) return 'TLS'
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(length)
  return httpBeginnings.includes(bytes.toString('latin1')) ? 'HTTP' : undefined
}

/** Smaller parts of a frame are copied; larger ones are kept as received. */
const gatheredBelowBytes = 4 * 1024
const gatheredBlockBytes = 16 * 1024

/**
 * Splits a stream of chunks into frames. A frame within one chunk is a view of it; one that spans
 * several chunks is assembled once, when complete, so that the work is linear. Memory is held only
 * for received bytes: small chunks are gathered, since otherwise each single byte would keep an
 * object, or a whole block of memory, alive.
 */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  readonly #allocate: (bytes: number) => Buffer
  #pending: Buffer[] = []
  #pendingBytes = 0
  #heldBytes = 0
  /** The block that holds the last pending part, if it was gathered. */
  #gathered: { readonly block: Buffer; used: number } | undefined
  /** Length of the incomplete frame with its prefix; 0 while the prefix is incomplete. */
  #frameBytes = 0

  /** `allocate` provides the memory for an assembled frame. */
  constructor(maxFrameBytes: number, allocate: (bytes: number) => Buffer = Buffer.allocUnsafe) {
    this.#maxFrameBytes = maxFrameBytes
    this.#allocate = allocate
  }

  /** Received bytes of the incomplete frame. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Memory held by the incomplete frame. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * Returns the frames that `chunk` completes, without their length prefixes. Throws MalformedError
   * for a negative length or one above the limit; the stream cannot be read after that.
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

  /** Drops the incomplete frame; the stream cannot be read after that. */
  clear(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#heldBytes = 0
    this.#gathered = undefined
    this.#frameBytes = 0
  }

  /** Length of the frame with its prefix; 0 while the prefix is incomplete. */
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
          ? `frame of ${length} bytes exceeds the limit of ${this.#maxFrameBytes}`
          : `received ${foreign}, but this port speaks the Kafka protocol only`,
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

  /** Copies a small part behind the small ones before it; the remainder is kept as received. */
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
