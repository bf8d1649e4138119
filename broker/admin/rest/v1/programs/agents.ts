// `GET /api/v1/agents` and `/api/v1/agents/{agent}`: the last reports of agents, with their
// components.

import { type Static, Type } from 'typebox'
import type { AgentStatus, Status } from '../../../../../protocol/telemetry/status/status.ts'
import type { AgentPicture } from '../../../board/picture.ts'
import type { AdminContext } from '../../adminContext.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { listMetadata, pageMetadata, pageOf, pageQuery } from '../../paging.ts'
import { RestError } from '../../restError.ts'

const count = Type.Integer({ minimum: 0 })

const agent = Type.Object({
  agent: Type.String({ description: 'Id: `agent/{host}/{name}`.' }),
  name: Type.String(),
  host: Type.String(),
  state: Type.Enum(['running', 'stopped']),
  silent: Type.Boolean({ description: "Whether the agent's report is overdue." }),
  age_ms: Type.Number({ description: 'Time since the last report.' }),
  topics: Type.Array(Type.String()),
  lines_total: count,
  lines_per_second: Type.Union([Type.Number(), Type.Null()]),
  undrained_ms: Type.Number({
    description:
      'How long no sink has drained the channels although they hold events; 0 while they drain.',
  }),
  sources: Type.Array(
    Type.Object({
      ...{ name: Type.String(), type: Type.String() },
      ...{ events_received: count, events_accepted: count },
    }),
  ),
  channels: Type.Array(
    Type.Object({
      ...{ name: Type.String(), type: Type.String(), events: count, capacity: count },
    }),
  ),
  sinks: Type.Array(
    Type.Object({
      ...{ name: Type.String(), type: Type.String(), events_drained: count },
      topic: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
})

export const listAgents: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/agents',
    {
      schema: {
        operationId: 'listAgents',
        tags: ['Agents and jobs'],
        summary: 'List the agents and their components',
        querystring: Type.Object(pageQuery),
        response: {
          200: Type.Object({
            kind: Type.Literal('AgentList'),
            metadata: listMetadata,
            data: Type.Array(agent),
          }),
        },
      },
    },
    async (request) => {
      const page = pageOf('agents', context.picture().agents, ({ id }) => id, request.query)
      return {
        kind: 'AgentList' as const,
        metadata: pageMetadata(request, page.nextToken),
        data: page.entries.map((picture) => shown(picture, context)),
      }
    },
  )
}

export const getAgent: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/agents/:agent',
    {
      schema: {
        operationId: 'getAgent',
        tags: ['Agents and jobs'],
        summary: 'Get an agent and its components',
        params: Type.Object({
          agent: Type.String({
            ...{ minLength: 1, maxLength: 1_024, examples: ['agent/web-1/orders'] },
            description: 'Id of the agent, with slashes encoded as `%2F`.',
          }),
        }),
        response: { 200: agent },
      },
    },
    async ({ params }) => {
      const picture = context.picture().agents.find(({ id }) => id === params.agent)
      if (picture === undefined) throw unknownAgent(params.agent)
      return shown(picture, context)
    },
  )
}

function shown(picture: AgentPicture, { status }: AdminContext): Static<typeof agent> {
  const { sources = [], channels = [], sinks = [] } = agentStatus(status?.(picture.id)) ?? {}
  return {
    agent: picture.id,
    ...{ name: picture.name, host: picture.host, state: picture.state, silent: picture.silent },
    age_ms: picture.ageMs,
    topics: [...picture.topics],
    lines_total: picture.linesTotal,
    lines_per_second: picture.linesPerSecond,
    undrained_ms: picture.undrainedMs,
    sources: sources.map(({ name, type, eventsReceived, eventsAccepted }) => ({
      ...{ name, type, events_received: eventsReceived, events_accepted: eventsAccepted },
    })),
    channels: channels.map(({ name, type, size, capacity }) => ({
      ...{ name, type, events: size, capacity },
    })),
    sinks: sinks.map(({ name, type, eventsDrained, topic }) => ({
      ...{ name, type, events_drained: eventsDrained, topic: topic ?? null },
    })),
  }
}

function agentStatus(status: Status | undefined): AgentStatus | undefined {
  return status?.kind === 'agent' ? status : undefined
}

function unknownAgent(id: string): RestError {
  return new RestError(
    40401,
    'AGENT_NOT_FOUND',
    `agent ${id} has not reported`,
    'GET /api/v1/agents lists the known agents; an agent is removed some time after its last report',
  )
}
