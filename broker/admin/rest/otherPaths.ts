// The paths that the same server answers outside of the API: the operations routes of every
// program, and the console's stream. For the OpenAPI document only: the routes are defined
// elsewhere, and have shorter error bodies.

import { type TSchema, Type } from 'typebox'
import { logLevels } from '../../../protocol/telemetry/logging/logLevel.ts'

const closed = { additionalProperties: false }
const reason = Type.Object(
  {
    code: Type.String({ description: 'Stable code, for scripts and alerts.' }),
    message: Type.String({ description: 'What happened, to what, and what to do.' }),
    sinceMs: Type.Optional(Type.Number({ description: 'In ms since the epoch.' })),
  },
  closed,
)
const reasons = Type.Array(reason)
const level = Type.Object({ level: Type.Enum([...logLevels]) }, closed)

/** Response bodies by path. */
export const operationsAnswers = {
  '/healthy': Type.Object({ healthy: Type.Boolean(), reasons, warnings: reasons }, closed),
  '/ready': Type.Object({ ready: Type.Boolean(), reasons }, closed),
  '/version': Type.Object(
    {
      program: Type.Enum(['broker', 'agent', 'job', 'admin', 'demo']),
      version: Type.String(),
      commit: Type.Optional(Type.String()),
      node: Type.String(),
      startedMs: Type.Number(),
      uptimeSeconds: Type.Integer({ minimum: 0 }),
    },
    closed,
  ),
  '/log-level': level,
} as const satisfies Record<string, TSchema>

export const operationsRefusal = Type.Object(
  {
    error: Type.String({ description: 'Stable name of the error.' }),
    message: Type.String(),
  },
  closed,
)

const refused = (description: string) => jsonAnswer(description, operationsRefusal)
const refusals = {
  403: refused('The request comes from another host, or from a page of another site.'),
}

export const otherPaths = {
  '/api/v1/events': {
    get: {
      operationId: 'followStatus',
      tags: ['Console'],
      summary: 'Stream the data of the console',
      description:
        'Server-sent events: `board` (everything, with the last hour) at the start, then `tick` once a second.',
      responses: {
        200: textAnswer('Events, as they come.', 'text/event-stream'),
        ...refusals,
        503: refused('Too many open pages.'),
      },
    },
  },
  '/healthy': {
    get: {
      ...operation('getHealth', 'Get the health of the program'),
      responses: {
        200: jsonAnswer(
          'Healthy, or recovering without intervention.',
          operationsAnswers['/healthy'],
        ),
        503: jsonAnswer(
          'Unhealthy: an operator or a restart is needed.',
          operationsAnswers['/healthy'],
        ),
        ...refusals,
      },
    },
  },
  '/ready': {
    get: {
      ...operation('getReadiness', 'Get the readiness of the program'),
      responses: {
        200: jsonAnswer('Ready.', operationsAnswers['/ready']),
        503: jsonAnswer('Not ready, or unhealthy.', operationsAnswers['/ready']),
        ...refusals,
      },
    },
  },
  '/version': {
    get: {
      ...operation('getVersion', 'Get the version of the program'),
      responses: {
        200: jsonAnswer('Program, version and build.', operationsAnswers['/version']),
        ...refusals,
      },
    },
  },
  '/metrics': {
    get: {
      ...operation('getMetrics', 'Get all metrics'),
      responses: { 200: textAnswer("Prometheus' text format.", 'text/plain'), ...refusals },
    },
  },
  '/log-level': {
    get: {
      ...operation('getLogLevel', 'Get the log level'),
      responses: { 200: jsonAnswer('The level.', level), ...refusals },
    },
    put: {
      ...operation('setLogLevel', 'Set the log level'),
      description: 'Takes effect with the next line, and lasts until the program ends.',
      requestBody: { required: true, content: { 'application/json': { schema: level } } },
      responses: {
        200: jsonAnswer('The new level.', level),
        400: refused('The body is malformed, or not a log level.'),
        408: jsonAnswer('The request took too long to arrive.', Type.Unknown()),
        413: refused('The body is too large.'),
        415: refused('The body is not JSON.'),
        ...refusals,
      },
    },
  },
}

function operation(operationId: string, summary: string) {
  return { operationId, tags: ['Operations'], summary }
}

function jsonAnswer(description: string, schema: TSchema) {
  return { description, content: { 'application/json': { schema } } }
}

function textAnswer(description: string, contentType: string) {
  return { description, content: { [contentType]: { schema: Type.String() } } }
}
