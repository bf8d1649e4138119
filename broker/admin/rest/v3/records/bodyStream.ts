// Bodies of records, which are read as they come and by the rules of records, not of other bodies.

import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import type { AdminServer } from '../../adminRoute.ts'
import { strictValidator } from '../../requestValidation.ts'
import { RestError } from '../../restError.ts'
import type { RecordMemory } from './recordMemory.ts'

/** A stream of records lasts as long as its client likes: 24 days, which is as long as timers can. */
export const longestTimeoutMs = 2 ** 31 - 1

/** For the routes of a scope of their own: bodies of these types are streams. */
export function readStreams(scope: AdminServer, contentTypes: string[]): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(contentTypes, (_request, payload, done) => done(null, payload))
}

/** The schema of the body is for its records. */
readStreams.validatorCompiler = (part: {
  readonly schema: unknown
  readonly httpPart?: string
}) => {
  if (part.httpPart === 'body') return (value: unknown) => ({ value })
  return strictValidator({ ...part, schema: part.schema as TSchema })
}

/** Empty when the request has no body. */
export function bodyOf(request: { readonly body: unknown }): AsyncIterable<Buffer> {
  return (request.body as Readable | undefined | null) ?? Readable.from([])
}

/**
 * Ends a stream in which nothing has come or gone for so long: a client that stalls must not keep its place for
 * ever. Fails as 408 while the answer has not begun; breaks the connection afterwards.
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
 * The whole body, whose bytes are taken of `memory`. Fails as 413 when it is longer than `maxBytes`, as 429 when
 * there is no room for it.
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
    `the body has more than ${maxBytes} bytes`,
    'send fewer records at once, or stream them to the path of single records',
  )
}

function idle(idleMs: number): RestError {
  return new RestError(
    408,
    'STREAM_IDLE',
    `no record has come for ${idleMs / 1000} s`,
    'end the request when there is nothing more to send, and begin another one later',
  )
}
