// Metrics of the records written to topics and read from them.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

export const trafficMetrics = {
  bytesIn: {
    name: 'kafka_server_brokertopicmetrics_bytesin_total',
    type: 'counter',
    help: 'Bytes of record batches appended by clients, by topic.',
    labels: ['topic'],
  },
  bytesOut: {
    name: 'kafka_server_brokertopicmetrics_bytesout_total',
    type: 'counter',
    help: 'Bytes of record batches in Fetch responses, by topic.',
    labels: ['topic'],
  },
  messagesIn: {
    name: 'kafka_server_brokertopicmetrics_messagesin_total',
    type: 'counter',
    help: 'Records appended by clients, by topic.',
    labels: ['topic'],
  },
  messagesOut: {
    name: 'millrace_broker_topic_records_out_total',
    type: 'counter',
    help: 'Records in Fetch responses, by topic. Includes records below the requested offset, which consumers skip.',
    labels: ['topic'],
  },
  produceRequests: {
    name: 'kafka_server_brokertopicmetrics_totalproducerequests_total',
    type: 'counter',
    help: 'Appends requested by clients, by topic: one for each partition of a Produce request.',
    labels: ['topic'],
  },
  failedProduceRequests: {
    name: 'kafka_server_brokertopicmetrics_failedproducerequests_total',
    type: 'counter',
    help: 'Appends refused or failed, by topic.',
    labels: ['topic'],
  },
  bytesRejected: {
    name: 'kafka_server_brokertopicmetrics_bytesrejected_total',
    type: 'counter',
    help: 'Bytes of record batches whose append was refused or failed, by topic.',
    labels: ['topic'],
  },
  duplicateBatches: {
    name: 'millrace_broker_topic_duplicate_batches_total',
    type: 'counter',
    help: 'Duplicate record batches of idempotent producers, which were already in the log, by topic.',
    labels: ['topic'],
  },
  failedFetchRequests: {
    name: 'kafka_server_brokertopicmetrics_failedfetchrequests_total',
    type: 'counter',
    help: 'Reads answered with an error, by topic: one for each partition of a Fetch request.',
    labels: ['topic'],
  },
} as const satisfies Record<string, MetricSpec>
