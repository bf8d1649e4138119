// Interceptors change events between a source and its channels, a batch at a time. These work on
// the headers that a batch shares, so that their cost does not grow with the number of events.

import type { EventBatch, Headers } from '../event.ts'

/** Must not change the batch that it gets: it may be put again after a failure. */
export type Interceptor = (batch: EventBatch) => EventBatch

/** Gives all events a header; events that have it already keep theirs if `preserveExisting`. */
export function withHeader(
  batch: EventBatch,
  name: string,
  value: string,
  preserveExisting: boolean,
): EventBatch {
  if (preserveExisting && name in batch.headers) return batch
  const headers = { ...batch.headers, [name]: value }
  if (preserveExisting || batch.eventHeaders === undefined) return batch.withHeaders(headers)
  // An event's own header would win over the shared one, so it must go.
  const eventHeaders = batch.eventHeaders.map((own) =>
    own && name in own ? without(own, name) : own,
  )
  return batch.withHeaders(headers, eventHeaders)
}

function without(headers: Headers, name: string): Headers {
  const { [name]: _, ...rest } = headers
  return rest
}
