// Counts the requests of a server by route, method and status: all bounded, whatever clients ask for.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Metrics } from '../../protocol/telemetry/metrics.ts'
import { consoleMetrics } from './consoleMetrics.ts'

const noRoute = 'none'

/** Counts requests of all routes that are added from now on. */
export function countRequests(server: FastifyInstance, metrics: Metrics): void {
  const requests = metrics.counter(consoleMetrics.requests)
  const times = metrics.histogram(consoleMetrics.requestTime)
  server.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    const route = routeOf(request)
    requests.inc({ method, route, status: String(reply.statusCode) })
    if (routeOptions.config.endless === true) return
    times.observe({ method, route }, reply.elapsedTime / 1_000)
  })
}

/** The path with the names of its parameters, as the OpenAPI document has it. */
function routeOf({ is404, routeOptions }: FastifyRequest): string {
  const { url } = routeOptions
  if (is404 || url === undefined) return noRoute
  return url.replaceAll(/(?<!:):(\w+)/g, '{$1}').replaceAll('::', ':')
}
