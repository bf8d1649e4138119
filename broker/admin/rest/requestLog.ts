// Logs the requests of the REST API, one line each: changes at `info`, as an audit log; reads at
// `debug`; failures of the server at `error`, with their cause. Must never log bodies: they may
// contain secrets.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { isRead } from './readMethod.ts'
import type { RestError } from './restError.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The error that the request failed with. */
    failure: RestError | undefined
    /** Subject of a change, if the path does not name it: `{ topic: 'orders' }`. For the log. */
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
  // There is no authentication yet: the client is identified by address and user agent.
  const from = { from: request.ip, userAgent: shortened(request.headers['user-agent']) }
  const message = reply.statusCode < 400 ? 'change requested over REST' : 'change refused over REST'
  logger.info({ ...fields, ...from }, message)
}

function shortened(text: string | undefined): string | undefined {
  return text?.slice(0, 200)
}
