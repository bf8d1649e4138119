// Record bodies: read as a stream, with their own limits.

import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import type { AdminServer } from '../../adminRoute.ts'
import { strictValidator } from '../../requestValidation.ts'
import { RestError } from '../../restError.ts'
import type { RecordMemory } from './recordMemory.ts'

/**
 * Timeout of a record stream, which lasts as long as its client wants: 24 days, the longest
 * possible timer.
 */
export const longestTimeoutMs = 2 ** 31 - 1

/** Makes bodies of these types streams, for the routes of one scope. */
export function readStreams(scope: AdminServer, contentTypes: string[]): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(contentTypes, (_request, payload, done) => done(null, payload))
}

/** The schema of the body describes a record, not the stream. */
readStreams.validatorCompiler = (part: {
  readonly schema: unknown
  readonly httpPart?: string
}) => {
  if (part.httpPart === 'body') return (value: unknown) => ({ value })
  return strictValidator({ ...part, schema: part.schema as TSchema })
}

/** Returns the body as chunks; empty if the request has none. */
export function bodyOf(request: { readonly body: unknown }): AsyncIterable<Buffer> {
  return (request.body as Readable | undefined | null) ?? Readable.from([])
}

/**
 * Ends a stream without traffic for `idleMs`, so that a stalled client does not keep its slot.
 * Fails with 408 if the response has not started; otherwise closes the connection.
 */
export function idleLimit(
  { raw }: { readonly raw: FastifyRequest['raw'] },
  reply: { readonly raw: FastifyReply['raw']; header(name: string, value: string): unknown },
  idleMs: number,
): Promise<never> {
  return new Promise((_, fail) => {
    raw.setTimeout?.(idleMs, () => {
      if (reply.raw.headersSent) raw.destroy()
      else {
        reply.header('connection', 'close')
        fail(idle(idleMs))
      }
    })
  })
}

/**
 * Reads the whole body, whose bytes are taken from `memory`. Fails with 413 if it exceeds
 * `maxBytes`, with 429 if the memory is exhausted.
 */
export async function wholeBody(
  request: { readonly body: unknown },
  maxBytes: number,
  memory: RecordMemory,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of bodyOf(request)) {
    bytes += chunk.length
    if (bytes > maxBytes) throw tooLarge(maxBytes)
    if (!memory.take(chunk.length)) throw memory.refusal()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(maxBytes: number): RestError {
  return new RestError(
    413,
    'BODY_TOO_LARGE',
    `the body exceeds ${maxBytes} bytes`,
    'send fewer records per request, or stream them to the path for single records',
  )
}

function idle(idleMs: number): RestError {
  return new RestError(
    408,
    'STREAM_IDLE',
    `no record received for ${idleMs / 1000} s`,
    'end the request when there is nothing to send, and start another one later',
  )
}
