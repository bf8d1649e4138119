// Metrics of transactions and of their coordinator.

import type { MetricSpec } from '../../../protocol/telemetry/metricSpec.ts'

export const transactionMetrics = {
  transactionalIds: {
    name: 'millrace_broker_transactional_ids',
    type: 'gauge',
    help: 'Transactional ids by the state of their last transaction, as kafka-transactions.sh names the states.',
    labels: ['state'],
  },
  open: {
    name: 'millrace_broker_transactions_open',
    type: 'gauge',
    help: 'Transactions that have begun and have not ended, including those whose end is being written.',
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
    help: 'Transactions aborted because they were open for longer than their timeout.',
  },
} as const satisfies Record<string, MetricSpec>
