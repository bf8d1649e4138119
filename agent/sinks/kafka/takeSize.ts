// Computes how many events of a take fit into one request. The channel counts only bodies against
// its byte limit; the sink adds the other bytes of a record, such as its key and headers.

import type { EventBatch, Headers } from '../../event.ts'
import { avroOverheadBytes } from './avroFlumeEvent.ts'
import { keyHeader } from './eventRouting.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'

/** Maximum bytes of a record besides its key, headers and value: lengths, timestamp, offset. */
const recordBytes = 32
/** Maximum bytes of the two lengths of a record header. */
const headerLengthBytes = 10

/** Returns how many of the first events fit into `maxBytes` before compression; at least one. */
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

/** Whether `eventsWithin` may be fewer events than the channel handed out for the same limit. */
export function hasSizeBesideBodies(
  { recordHeaders, isAvro }: KafkaSinkSettings,
  batches: readonly EventBatch[],
): boolean {
  if (recordHeaders.size > 0 || isAvro) return true
  return batches.some(({ headers, eventHeaders }) => eventHeaders || keyHeader in headers)
}

/** Returns the maximum bytes of a record besides the event's body. */
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
