// Generates the OpenAPI document from the schemas of the routes, with @fastify/swagger. Errors and
// the request id, which all routes share, are defined once and referenced.

import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { errorAnswers, errorBody } from './errorAnswers.ts'
import { otherPaths } from './otherPaths.ts'

export const apiTitle = 'Millrace admin REST API'

const description = `Administers a Kafka cluster, of Millrace or other brokers.

Paths below \`/v3\` are those of Confluent's REST API, version 3, in the same shapes. Paths below \`/api/v1\` are Millrace's
own: browsing and tailing records, resetting the offsets of a group with a preview, agents and jobs.

Every error has the same shape: a code for scripts, what happened, and what to do. An unknown parameter or property of a
body is an error, never ignored. Every response has a header \`x-request-id\`, which is also in the log of the server.

There is no authentication yet, so the server answers requests from this machine only, and refuses pages of other sites.`

const tags = [
  { name: 'Records', description: 'Browse and tail the records of a topic.' },
  { name: 'Groups', description: 'Consumer groups: offsets, lag, resetting offsets.' },
  { name: 'Topics', description: 'Overview of topics.' },
  { name: 'Agents and jobs', description: 'Status of agents and jobs, as reported by them.' },
  { name: 'Cluster (v3)', description: "Clusters, in the shape of Confluent's API." },
  {
    name: 'Broker (v3)',
    description: 'The brokers of a cluster and their replicas.',
  },
  { name: 'Topic (v3)', description: 'List, create and delete topics; add partitions.' },
  { name: 'Configs (v3)', description: 'Configurations of the cluster, of brokers and of topics.' },
  { name: 'Partition (v3)', description: 'Partitions, their offsets and reassignments.' },
  { name: 'Replica (v3)', description: 'Replicas of partitions.' },
  {
    name: 'Consumer Group (v3)',
    description: 'Consumer groups, their members, assignments and lag.',
  },
  { name: 'Records (v3)', description: 'Produce records: one, a batch, or a stream.' },
  { name: 'Console', description: 'The data that the console shows.' },
  {
    name: 'Operations',
    description:
      'Health, version, metrics and log level of this server: the same paths in every program.',
  },
]

/** Collects the routes that are added to the server after this call. */
export async function describeRoutes(server: FastifyInstance, version: string): Promise<void> {
  const options: FastifyDynamicSwaggerOptions = {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: apiTitle,
        version,
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } as { name: string },
      },
      servers: [{ url: '/', description: 'This server.' }],
      tags,
    },
    convertConstToEnum: false,
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject
      const complete = withSharedAnswers(document.openapiObject as Document)
      return { ...complete, paths: { ...complete.paths, ...otherPaths } }
    },
  }
  await server.register(swagger, options)
}

interface Response {
  description?: string
  headers?: object
  content?: object
}

interface Document {
  paths?: Record<string, Record<string, { responses?: Record<string, Response> }>>
  components?: { schemas?: object; responses?: object; headers?: object }
}

const requestIdHeader = { 'x-request-id': { $ref: '#/components/headers/RequestId' } }

function withSharedAnswers(document: Document): Document {
  for (const path of Object.values(document.paths ?? {})) {
    for (const { responses = {} } of Object.values(path)) {
      for (const [status, response] of Object.entries(responses)) {
        const shared = errorAnswers[Number(status)]
        responses[status] =
          shared === undefined
            ? { ...response, headers: { ...response.headers, ...requestIdHeader } }
            : ({ $ref: `#/components/responses/${shared.name}` } as Response)
      }
    }
  }
  document.components = {
    ...document.components,
    schemas: { Error: errorBody, ...document.components?.schemas },
    responses: sharedResponses(),
    headers: {
      RequestId: {
        description: 'Id of the request in the log. A client may set it with the same header.',
        schema: { type: 'string' },
      },
      RetryAfter: {
        description: 'Seconds after which to retry.',
        schema: { type: 'integer', minimum: 0 },
      },
    },
  }
  return document
}

function sharedResponses(): object {
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } }
  return Object.fromEntries(
    Object.entries(errorAnswers).map(([status, { name, description }]) => {
      const mayPass = status === '429' || status === '503'
      const retryAfter = mayPass
        ? { 'retry-after': { $ref: '#/components/headers/RetryAfter' } }
        : {}
      return [name, { description, headers: { ...requestIdHeader, ...retryAfter }, content }]
    }),
  )
}
