// Splits what exceeds a size limit (docs/decisions/0024-long-lines-are-split.md): a batch into
// several batches, and an event into several records, so that a long line neither blocks the lines
// after it nor is lost. Each such record has a part of the body, numbered in two headers; the parts
// are in order in one partition. A split never falls within a UTF-8 character.

import type { EventBatch, Headers } from '../../event.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'
import type { Piece, StampedSend } from './kafkaStamp.ts'
import { besideBody } from './takeSize.ts'

/** The number of the part, from 1, and the number of parts, in decimal. */
const partHeader = 'millrace.part'
const partsHeader = 'millrace.parts'
/** Maximum bytes of the two headers, both in Avro and as record headers. */
const partHeaderBytes = 128
/** Minimum size of a part, however long the headers of the event are. */
const smallestPartBytes = 256

export function pieceHeaders({ number, of }: Piece): Headers {
  return { [partHeader]: String(number), [partsHeader]: String(of) }
}

/** A send without a sequence number. */
export type PlannedSend = Pick<StampedSend, 'topic' | 'partition'> & {
  readonly [K in 'events' | 'piece']?: StampedSend[K] | undefined
}

/**
 * Splits sends into batches of at most `maxBytes`; a larger event into batches of one part each.
 */
export function splitSends(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  sends: readonly PlannedSend[],
  maxBytes: number,
): PlannedSend[] {
  const events = batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, index) => {
      const body = batch.body(index)
      return { body, besideBytes: besideBody(settings, batch.headersOf(index)) }
    }),
  )
  return sends.flatMap((send) =>
    splitBatch(send, events, maxBytes).flatMap((part) => splitEvent(part, events, maxBytes)),
  )
}

interface SizedEvent {
  readonly body: Buffer
  /** Maximum bytes of its record besides the body. */
  readonly besideBytes: number
}

function splitBatch(
  send: PlannedSend,
  events: readonly SizedEvent[],
  maxBytes: number,
): PlannedSend[] {
  const parts: number[][] = [[]]
  let bytes = 0
  for (const event of send.events ?? events.keys()) {
    const { body, besideBytes } = events[event]!
    const size = body.length + besideBytes
    bytes += size
    if (parts.at(-1)!.length > 0 && bytes > maxBytes) {
      parts.push([])
      bytes = size
    }
    parts.at(-1)!.push(event)
  }
  return parts.length === 1 ? [send] : parts.map((part) => ({ ...send, events: part }))
}

/** Splits a send of one event, or of a part of it, that is larger than `maxBytes`. */
function splitEvent(
  send: PlannedSend,
  events: readonly SizedEvent[],
  maxBytes: number,
): PlannedSend[] {
  const chosen = send.events ?? [...events.keys()]
  if (chosen.length !== 1) return [send]
  const { body, besideBytes } = events[chosen[0]!]!
  const { from, until } = send.piece ?? { from: 0, until: body.length }
  if (until - from + besideBytes <= maxBytes) return [send]
  const room = Math.max(maxBytes - besideBytes - partHeaderBytes, smallestPartBytes)
  if (until - from <= room) return [send]
  const ends: number[] = []
  for (let at = from; at < until; at = ends.at(-1)!) {
    ends.push(at + room >= until ? until : characterStart(body, at + room))
  }
  return ends.map((end, index) => ({
    ...send,
    events: chosen,
    piece: {
      from: ends[index - 1] ?? from,
      until: end,
      // A part that is split again keeps its number; its own parts are in order as well.
      number: send.piece?.number ?? index + 1,
      of: send.piece?.of ?? ends.length,
    },
  }))
}

/** Returns `at`, or the start of the UTF-8 character that contains it. */
function characterStart(bytes: Buffer, at: number): number {
  for (let start = at; start > at - 4; start--) {
    if ((bytes[start]! & 0xc0) !== 0x80) return start
  }
  // Not UTF-8.
  return at
}
