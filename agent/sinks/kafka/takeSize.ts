// How much of a take fits into one request. The channel counts only bodies against a byte limit; the sink
// adds the other bytes of a record: its key and its headers.

import type { EventBatch, Headers } from '../../event.ts'
import { avroOverheadBytes } from './avroFlumeEvent.ts'
import { keyHeader } from './eventRouting.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'

/** Of a record beside its key, headers and value, at most: lengths, time, offset. */
const recordBytes = 32
/** The two lengths of a record header, at most. */
const headerLengthBytes = 10

/** How many of the first events fit into `maxBytes`, not compressed; at least one. */
export function eventsWithin(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  maxBytes: number,
): number {
  let left = maxBytes
  let events = 0
  for (const batch of batches) {
    const sharedBytes = besideBody(settings, batch.headers)
    for (let index = 0; index < batch.count; index++, events++) {
      const beside =
        batch.eventHeaders === undefined
          ? sharedBytes
          : besideBody(settings, batch.headersOf(index))
      left -= batch.end(index) - batch.start(index) + beside
      if (left < 0) return Math.max(events, 1)
    }
  }
  return events
}

/** Whether that can be fewer events than the channel gave. */
export function hasSizeBesideBodies(
  { recordHeaders, isAvro }: KafkaSinkSettings,
  batches: readonly EventBatch[],
): boolean {
  if (recordHeaders.size > 0 || isAvro) return true
  return batches.some(({ headers, eventHeaders }) => eventHeaders || keyHeader in headers)
}

/** Bytes of a record that are not the event's body, at most. */
export function besideBody({ recordHeaders, isAvro }: KafkaSinkSettings, headers: Headers): number {
  let bytes = recordBytes + Buffer.byteLength(headers[keyHeader] ?? '')
  if (isAvro) bytes += avroOverheadBytes(headers)
  for (const [name, source] of recordHeaders) {
    const value = headers[source]
    if (value === undefined) continue
    bytes += headerLengthBytes + Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  return bytes
}
