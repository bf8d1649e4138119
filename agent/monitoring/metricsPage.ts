// Flume's HTTP monitoring: /metrics as JSON in which every value is a string, and / with a link to
// it. It has no authentication, and so listens on the loopback interface unless configured
// otherwise.

import Fastify from 'fastify'
import type { Address } from '../../protocol/runtime/network/network.ts'
import { AgentError } from '../errors.ts'

/** Flume's counters by component (`SOURCE.name`) and counter name. All values are strings. */
export type MetricsJson = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface MetricsPage {
  readonly address: Address
  close(): Promise<void>
}

/** Starts the page; fails with an AgentError if the address is in use. Port 0 takes a free port. */
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
