// The metrics of the HTTP server that has the console and the REST API, in a broker and in `millrace admin`.

import type { MetricSpec } from '../../protocol/telemetry/metricSpec.ts'
import { latencyBucketsSeconds } from '../../protocol/telemetry/metrics.ts'

export const consoleMetrics = {
  requests: {
    name: 'millrace_http_requests_total',
    type: 'counter',
    help: 'HTTP requests that were answered, by route and status. What no route is for is counted under the route none.',
    labels: ['method', 'route', 'status'],
  },
  requestTime: {
    name: 'millrace_http_request_seconds',
    type: 'histogram',
    help: 'Time from the head of an HTTP request to the end of its answer. Without answers that have no end: events and tails.',
    labels: ['method', 'route'],
    buckets: latencyBucketsSeconds,
  },
} as const satisfies Record<string, MetricSpec>

/** Of `millrace admin` alone. */
export const adminMetrics = {
  reachable: {
    name: 'millrace_admin_cluster_reachable',
    type: 'gauge',
    help: '1 while the cluster given by --bootstrap answers, else 0.',
  },
  topicsAge: {
    name: 'millrace_admin_topics_age_seconds',
    type: 'gauge',
    help: 'Time since the topics of the cluster were last asked for; none until the cluster has answered once.',
  },
  topics: {
    name: 'millrace_admin_topics',
    type: 'gauge',
    help: 'Topics that the console knows of, internal ones included.',
  },
} as const satisfies Record<string, MetricSpec>
