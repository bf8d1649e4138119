// An event that does not fit into one record becomes several, so that one long line neither stops the
// lines behind it nor is lost. Each record has a part of the body, and says in two headers which part
// it is; the parts are in order in one partition (docs/decisions/0024-long-lines-are-split.md).

import type { EventBatch, Headers } from '../../event.ts'
import type { Route } from './eventRouting.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'
import type { Piece } from './kafkaStamp.ts'
import { besideBody } from './takeSize.ts'

/** A record's part and how many there are, as decimal numbers. */
const partHeader = 'millrace.part'
const partsHeader = 'millrace.parts'
/** Of the two headers, in Avro and as headers of the record, at most. */
const partHeaderBytes = 128
/** A part has at least this many bytes, however long the event's headers are. */
const smallestPartBytes = 256

export function pieceHeaders({ number, of }: Piece): Headers {
  return { [partHeader]: String(number), [partsHeader]: String(of) }
}

/** One part of an event that is split, for the partition to which the whole event would go. */
export type SplitRoute = Route & { readonly piece?: Piece }

/** The routes of a take, with one in place of each part of an event larger than `maxBytes`. */
export function splitRoutes(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  routes: readonly Route[],
  maxBytes: number,
): SplitRoute[] {
  const [first] = batches
  // A take has more than one event only when all of them fit.
  if (batches.length !== 1 || first!.count !== 1) return [...routes]
  const pieces = piecesOf(settings, first!, maxBytes)
  if (pieces === undefined) return [...routes]
  return routes.flatMap((route) => pieces.map((piece) => ({ ...route, events: [0], piece })))
}

/** Undefined when the batch's only event fits into `maxBytes`. */
function piecesOf(
  settings: KafkaSinkSettings,
  batch: EventBatch,
  maxBytes: number,
): Piece[] | undefined {
  const body = batch.body(0)
  const beside = besideBody(settings, batch.headersOf(0))
  if (body.length + beside <= maxBytes) return undefined
  const room = Math.max(maxBytes - beside - partHeaderBytes, smallestPartBytes)
  if (body.length <= room) return undefined
  const ends: number[] = []
  for (let at = 0; at < body.length; at = ends.at(-1)!) {
    ends.push(at + room >= body.length ? body.length : characterStart(body, at + room))
  }
  return ends.map((until, index) => ({
    from: ends[index - 1] ?? 0,
    until,
    number: index + 1,
    of: ends.length,
  }))
}

/** `at`, or the start of the UTF-8 character that it lies in. */
function characterStart(bytes: Buffer, at: number): number {
  for (let start = at; start > at - 4; start--) {
    if ((bytes[start]! & 0xc0) !== 0x80) return start
  }
  // Not UTF-8.
  return at
}
