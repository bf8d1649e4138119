// Metrics of requests: how many, how long, in which phase, and with which errors.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'
import { latencyBucketsSeconds } from '../../../protocol/telemetry/metrics/metrics.ts'

/** Fewer buckets than for whole requests: each API has four phases. */
const phaseBucketsSeconds = [0.0001, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 5, 30] as const

export const requestMetrics = {
  requests: {
    name: 'millrace_broker_requests_total',
    type: 'counter',
    help: 'Requests handled, by API.',
    labels: ['api'],
  },
  errors: {
    name: 'millrace_broker_request_errors_total',
    type: 'counter',
    help: "Error codes in responses, by API and by Kafka's name of the code; a response can have several.",
    labels: ['api', 'error'],
  },
  latency: {
    name: 'millrace_broker_request_latency_seconds',
    type: 'histogram',
    help: 'Time from the last byte of a request until its response was written to the connection; for Fetch, including the wait for records.',
    labels: ['api'],
    buckets: latencyBucketsSeconds,
  },
  phases: {
    name: 'millrace_broker_request_phase_seconds',
    type: 'histogram',
    help: 'Latency of a request by phase: queue (behind other requests of the connection, or for memory), local (handling, including syncs), wait (a Fetch waiting for records), send (from the write of the response until the network has taken it).',
    labels: ['api', 'phase'],
    buckets: phaseBucketsSeconds,
  },
  requestBytes: {
    name: 'millrace_broker_request_bytes_total',
    type: 'counter',
    help: 'Bytes of requests handled, by API.',
    labels: ['api'],
  },
  responseBytes: {
    name: 'millrace_broker_response_bytes_total',
    type: 'counter',
    help: 'Bytes of responses written to connections, by API.',
    labels: ['api'],
  },
  pending: {
    name: 'millrace_broker_requests_pending',
    type: 'gauge',
    help: 'Requests received and not yet answered.',
  },
  waitingFetches: {
    name: 'millrace_broker_fetches_waiting',
    type: 'gauge',
    help: 'Fetch requests waiting for records.',
  },
  purgatory: {
    name: 'kafka_server_delayedoperationpurgatory_purgatorysize',
    type: 'gauge',
    help: 'Operations that wait: Produce (durable appends that wait for the high watermark, one for each partition), Fetch (requests that wait for records).',
    labels: ['delayedoperation'],
  },
  transactionalAppends: {
    name: 'millrace_broker_transactional_appends_waiting',
    type: 'gauge',
    help: 'Appends of transactional producers that wait for the coordinator to add or to verify their partition, and those behind them.',
  },
  followed: {
    name: 'millrace_broker_requests_followed_total',
    type: 'counter',
    help: 'Requests with extra bytes after their last field, which were ignored.',
    labels: ['api'],
  },
  fetchSessions: {
    name: 'kafka_server_fetchsessioncache_numincrementalfetchsessions',
    type: 'gauge',
    help: 'Incremental fetch sessions in the cache.',
  },
  fetchSessionPartitions: {
    name: 'kafka_server_fetchsessioncache_numincrementalfetchpartitionscached',
    type: 'gauge',
    help: 'Partitions in all incremental fetch sessions in the cache.',
  },
  fetchSessionEvictions: {
    name: 'kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total',
    type: 'counter',
    help: 'Incremental fetch sessions evicted from the cache.',
  },
} as const satisfies Record<string, MetricSpec>
