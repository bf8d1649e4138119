// The interface of interceptors, which change events between a source and its channels, one batch
// at a time. Those of this folder change the headers that a batch shares, so their cost does not
// depend on the number of events.

import type { EventBatch, Headers } from '../event.ts'

/**
 * Returns the changed batch. Must never modify its argument, which may be put again after a
 * failure.
 */
export type Interceptor = (batch: EventBatch) => EventBatch

/** Sets a header of all events; with `preserveExisting`, events that have it keep their value. */
export function withHeader(
  batch: EventBatch,
  name: string,
  value: string,
  preserveExisting: boolean,
): EventBatch {
  if (preserveExisting && name in batch.headers) return batch
  const headers = { ...batch.headers, [name]: value }
  if (preserveExisting || batch.eventHeaders === undefined) return batch.withHeaders(headers)
  // An event's own header would override the shared one, so it is removed.
  const eventHeaders = batch.eventHeaders.map((own) =>
    own && name in own ? without(own, name) : own,
  )
  return batch.withHeaders(headers, eventHeaders)
}

function without(headers: Headers, name: string): Headers {
  const { [name]: _, ...rest } = headers
  return rest
}
