// Requests of the console's server, counted by route.

import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { countRequests } from '../../../broker/admin/requestMetrics.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'

test('requests are counted by route, method and status, with bounded labels', async () => {
  const metrics = new Metrics()
  const server = fastify({ exposeHeadRoutes: false })
  countRequests(server, metrics)
  server.get('/api/v1/topics/:topic', () => ({}))
  server.post('/v3/topics/:topic/records::batch', (_request, reply) => reply.code(207).send({}))
  server.get('/tail', { config: { endless: true } }, () => ({}))
  await server.inject('/api/v1/topics/a')
  await server.inject('/api/v1/topics/b?x=1')
  await server.inject({ method: 'POST', url: '/v3/topics/a/records:batch' })
  await server.inject('/tail')
  await server.inject('/a/path/of/nobody')
  const lines = (await metrics.expose()).split('\n')
  const counts = (name: string) => lines.filter((line) => line.startsWith(`${name}{`)).sort()
  expect(counts('millrace_http_requests_total')).toEqual([
    'millrace_http_requests_total{method="GET",route="/api/v1/topics/{topic}",status="200"} 2',
    'millrace_http_requests_total{method="GET",route="/tail",status="200"} 1',
    'millrace_http_requests_total{method="GET",route="none",status="404"} 1',
    'millrace_http_requests_total{method="POST",route="/v3/topics/{topic}/records:batch",status="207"} 1',
  ])
  expect(counts('millrace_http_request_seconds_count')).toEqual([
    'millrace_http_request_seconds_count{method="GET",route="/api/v1/topics/{topic}"} 2',
    'millrace_http_request_seconds_count{method="GET",route="none"} 1',
    'millrace_http_request_seconds_count{method="POST",route="/v3/topics/{topic}/records:batch"} 1',
  ])
  await server.close()
})
