// Flume's HTTP monitoring: /metrics as JSON of which every value is a string, / with a link to it,
// and nothing else. It listens on the loopback interface only, for it asks nobody who they are.

import Fastify from 'fastify'
import type { Address } from '../../protocol/runtime/network.ts'
import { AgentError } from '../errors.ts'

/** Flume's counters, by component (`SOURCE.name`) and by name. All values are text, as in Flume. */
export type MetricsJson = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface MetricsPage {
  readonly address: Address
  close(): Promise<void>
}

export async function serveMetrics(
  address: Address,
  metrics: () => MetricsJson,
): Promise<MetricsPage> {
  const server = Fastify({ routerOptions: { caseSensitive: false } })
  server.get('/metrics', (_, reply) =>
    reply.type('application/json; charset=utf-8').send(metrics()),
  )
  server.get('/', (_, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .send('<!doctype html><a href="./metrics">The metrics of this agent, as JSON</a>'),
  )
  try {
    await server.listen({ host: address.host, port: address.port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new AgentError(
      'CONFIGURATION',
      `${address.host}:${address.port} is in use: choose another flume.monitoring.port`,
      error,
    )
  }
  const bound = server.server.address()
  return {
    address: {
      host: address.host,
      port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    },
    close: () => server.close(),
  }
}
