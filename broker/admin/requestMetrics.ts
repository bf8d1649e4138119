// Counts the requests of a server by route, method and status. Bounded: requests that match no
// route share one label.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import { consoleMetrics } from './consoleMetrics.ts'

const noRoute = 'none'

/** Counts requests of all routes that are added after this call. */
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

/** The path with parameter names, as in the OpenAPI document. */
function routeOf({ is404, routeOptions }: FastifyRequest): string {
  const { url } = routeOptions
  if (is404 || url === undefined) return noRoute
  return url.replaceAll(/(?<!:):(\w+)/g, '{$1}').replaceAll('::', ':')
}
