// What was asked of the REST API, one line each: changes at `info`, as the audit of who changed what; reads at
// `debug`; failures of the server at `error`, with their cause. Bodies are not logged: they may hold secrets.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { RestError } from './restError.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request failed with. */
    failure: RestError | undefined
    /** What a change is of, where the path does not say: `{ topic: 'orders' }`. For the log. */
    changed: Readonly<Record<string, unknown>> | undefined
  }
}

export function logAnswer(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const { failure } = request
  const fields = {
    requestId: request.id,
    method: request.method,
    path: request.url,
    ...(request.changed ?? {}),
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime),
    ...(failure === undefined ? {} : { code: failure.code, reason: failure.message }),
  }
  if (reply.statusCode === 500) {
    logger.error({ ...fields, error: failure?.cause ?? failure }, 'request failed')
    return
  }
  if (isRead(request.method)) {
    logger.debug(fields, 'request answered')
    return
  }
  // There is no login yet: who asked is the address and the program.
  const from = { from: request.ip, userAgent: shortened(request.headers['user-agent']) }
  const message = reply.statusCode < 400 ? 'change requested over REST' : 'change refused over REST'
  logger.info({ ...fields, ...from }, message)
}

export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

function shortened(text: string | undefined): string | undefined {
  return text?.slice(0, 200)
}
