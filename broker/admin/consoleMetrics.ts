// The metrics of the HTTP server of the console and the REST API, in a broker and in `millrace
// admin`.

import type { MetricSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { latencyBucketsSeconds } from '../../protocol/telemetry/metrics/metrics.ts'

export const consoleMetrics = {
  requests: {
    name: 'millrace_http_requests_total',
    type: 'counter',
    help: 'HTTP requests answered, by route and status. Requests that match no route are counted under the route none.',
    labels: ['method', 'route', 'status'],
  },
  requestTime: {
    name: 'millrace_http_request_seconds',
    type: 'histogram',
    help: 'Time from the headers of an HTTP request to the end of its response. Endless responses (events, tails) are not measured.',
    labels: ['method', 'route'],
    buckets: latencyBucketsSeconds,
  },
} as const satisfies Record<string, MetricSpec>

/** Metrics of `millrace admin` only. */
export const adminMetrics = {
  reachable: {
    name: 'millrace_admin_cluster_reachable',
    type: 'gauge',
    help: '1 when the cluster given by --bootstrap answers, else 0.',
  },
  topicsAge: {
    name: 'millrace_admin_topics_age_seconds',
    type: 'gauge',
    help: 'Time since the topics of the cluster were last read; no sample until the cluster has answered once.',
  },
  topics: {
    name: 'millrace_admin_topics',
    type: 'gauge',
    help: 'Topics known to the console, including internal ones.',
  },
} as const satisfies Record<string, MetricSpec>
