// One input: the bytes that a client sends, in which chunks, and whether it stays to read the
// answer. Drawn from a corpus of valid frames, from requests that are generated from the tables,
// and from mutations of both.

import { ByteReader } from '../../protocol/bytes/reader.ts'
import { produce } from '../../protocol/kafka/apis/produce.ts'
import { apiByKey } from '../../protocol/kafka/apis.ts'
import { decodeRequest, decodeRequestHeader } from '../../protocol/kafka/frame.ts'
import type { Api } from '../../protocol/kafka/schema/schema.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import { oneIn, pick, trickyInt32 } from './draw.ts'
import { mutated } from './frameMutator.ts'
import { type BrokerContents, frameOf, generatedFrame } from './requestGenerator.ts'
import { arraysOf, bodyWith } from './tinyElements.ts'

export interface Input {
  readonly chunks: readonly Buffer[]
  /** The client disconnects when it has sent this, without reading. */
  readonly leaves: boolean
}

const mostElements = 25_000

export interface InputSource {
  readonly random: Random
  readonly contents: BrokerContents
  readonly apis: readonly Api[]
  readonly corpus: readonly Buffer[]
  /** Longer than the longest request that the broker accepts. */
  readonly tooManyBytes: number
}

export function drawInput(source: InputSource): Input {
  const { random } = source
  const parts: Buffer[] = []
  for (let count = oneIn(random, 6) ? 1 + random.below(6) : 1; count > 0; count--) {
    parts.push(prefixed(drawFrame(source), source))
  }
  if (oneIn(random, 40)) parts.push(random.bytes(1 + random.below(40)))
  const stream = Buffer.concat(parts)
  const sent = oneIn(random, 20) ? stream.subarray(0, random.below(stream.length)) : stream
  return { chunks: oneIn(random, 8) ? inPieces(sent, random) : [sent], leaves: oneIn(random, 50) }
}

function drawFrame(source: InputSource): Buffer {
  const { random, contents } = source
  if (oneIn(random, 300)) return flood(source)
  const frame = oneIn(random, 3) ? pick(random, source.corpus) : generated(source)
  if (oneIn(random, 3)) return frame
  return mutated(frame, pick(random, source.corpus), random, contents.nowMs())
}

function generated({ random, apis, contents }: InputSource): Buffer {
  // Record batches are a separate format with more possible errors than all others.
  const api = oneIn(random, 6) ? produce : pick(random, apis)
  const versions = api.maxVersion - api.advertisedMinVersion + 1
  return generatedFrame(api, api.advertisedMinVersion + random.below(versions), random, contents)
}

/** Returns a request with one array of as many elements as the broker just accepts, or too many. */
function flood({ random, apis, contents }: InputSource): Buffer {
  const api = pick(random, apis)
  const places = arraysOf(api, api.maxVersion)
  if (places.length === 0) return generatedFrame(api, api.maxVersion, random, contents)
  const body = bodyWith(api, api.maxVersion, pick(random, places), random.below(mostElements))
  return frameOf(api, api.maxVersion, body)
}

/** Adds the length prefix, which is sometimes false. */
function prefixed(frame: Buffer, { random, tooManyBytes }: InputSource): Buffer {
  const length = Buffer.alloc(4)
  const lies = [0, -1, frame.length - 1, frame.length + 1, tooManyBytes, trickyInt32(random)]
  length.writeInt32BE(oneIn(random, 25) ? pick(random, lies) : frame.length)
  return Buffer.concat([length, frame])
}

function inPieces(stream: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = []
  const most = pick(random, [1, 3, 20, 1000])
  for (let at = 0; at < stream.length && pieces.length < 200; ) {
    const end = pieces.length === 199 ? stream.length : at + 1 + random.below(most)
    pieces.push(stream.subarray(at, end))
    at = end
  }
  return pieces
}

/** A frame as the broker must parse it. */
export interface SentFrame {
  readonly correlationId: number
  readonly api: Api | undefined
  readonly version: number
  /** Whether it is a Produce request without an answer. */
  readonly isSilent: boolean
}

export interface SentStream {
  readonly frames: readonly SentFrame[]
  /** The bytes after the last whole frame: none, a partial frame, or an invalid length. */
  readonly rest: 'nothing' | 'half' | 'refused'
}

/** Splits the sent bytes into frames, with other code than the broker's. */
export function readStream(stream: Buffer, maxFrameBytes: number): SentStream {
  const frames: SentFrame[] = []
  let at = 0
  while (stream.length - at >= 4) {
    const length = stream.readInt32BE(at)
    if (length < 0 || length > maxFrameBytes) return { frames, rest: 'refused' }
    if (length > stream.length - at - 4) return { frames, rest: 'half' }
    frames.push(readFrame(stream.subarray(at + 4, at + 4 + length)))
    at += 4 + length
  }
  return { frames, rest: at === stream.length ? 'nothing' : 'half' }
}

function readFrame(frame: Buffer): SentFrame {
  if (frame.length < 8) return { correlationId: 0, api: undefined, version: 0, isSilent: false }
  return {
    correlationId: frame.readInt32BE(4),
    api: apiByKey(frame.readInt16BE(0)),
    version: frame.readInt16BE(2),
    isSilent: frame.readInt16BE(0) === produce.key && wantsNoAnswer(frame),
  }
}

function wantsNoAnswer(frame: Buffer): boolean {
  try {
    const reader = new ByteReader(frame)
    const { apiVersion } = decodeRequestHeader(reader)
    if (apiVersion < 0 || apiVersion > produce.maxVersion) return false
    return decodeRequest(produce, apiVersion, reader).acks === 0
  } catch {
    return false
  }
}
