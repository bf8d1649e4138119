// Metrics of transactions and of their coordinator.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

export const transactionMetrics = {
  transactionalIds: {
    name: 'millrace_broker_transactional_ids',
    type: 'gauge',
    help: 'Transactional ids by the state of their last transaction, with the names of kafka-transactions.sh.',
    labels: ['state'],
  },
  open: {
    name: 'millrace_broker_transactions_open',
    type: 'gauge',
    help: 'Open transactions, including those whose markers are being written.',
  },
  oldestAge: {
    name: 'millrace_broker_transaction_oldest_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest open transaction; 0 when none is open.',
  },
  ended: {
    name: 'millrace_broker_transactions_ended_total',
    type: 'counter',
    help: 'Transactions whose end was decided, by outcome (committed, aborted).',
    labels: ['outcome'],
  },
  timedOut: {
    name: 'millrace_broker_transactions_timed_out_total',
    type: 'counter',
    help: 'Transactions aborted because their timeout expired.',
  },
} as const satisfies Record<string, MetricSpec>
