// Exposes transactions. Iterates over all transactional ids once per exposition.

import { TransactionStatus } from '../../../protocol/kafka/coordinators/transactionRecords.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import type { TransactionService } from '../../transactions/transactionService.ts'
import {
  transactionStateName,
  transactionStateNames,
} from '../../transactions/transactionStateName.ts'
import { transactionMetrics } from '../table/transactions.ts'
import type { Collectors } from './collectors.ts'

export interface TransactionSources {
  readonly clock: Pick<Clock, 'nowMs'>
  readonly transactions: Pick<TransactionService, 'transactions' | 'ended'>
}

const openStatuses: ReadonlySet<TransactionStatus> = new Set([
  TransactionStatus.ongoing,
  TransactionStatus.prepareCommit,
  TransactionStatus.prepareAbort,
])

export function collectTransactions(
  collectors: Collectors,
  { clock, transactions }: TransactionSources,
): void {
  const spec = transactionMetrics
  const byState = new Map<string, number>()
  let open = 0
  let oldestStartMs = Number.POSITIVE_INFINITY
  collectors.before(() => {
    for (const name of transactionStateNames) byState.set(name, 0)
    open = 0
    oldestStartMs = Number.POSITIVE_INFINITY
    for (const { metadata } of transactions.transactions()) {
      const state = transactionStateName(metadata.status)
      byState.set(state, byState.get(state)! + 1)
      if (!openStatuses.has(metadata.status)) continue
      open++
      oldestStartMs = Math.min(oldestStartMs, metadata.startTimestampMs)
    }
  })
  collectors.samples(spec.transactionalIds, (sample) => {
    for (const [state, count] of byState) sample(labelText({ state }), count)
  })
  collectors.value(spec.open, () => open)
  collectors.value(spec.oldestAge, () =>
    open === 0 ? 0 : Math.max(0, clock.nowMs() - oldestStartMs) / 1000,
  )
  collectors.samples(spec.ended, (sample) => {
    const { committed, aborted } = transactions.ended
    sample(labelText({ outcome: 'committed' }), committed)
    sample(labelText({ outcome: 'aborted' }), aborted)
  })
  collectors.value(spec.timedOut, () => transactions.ended.timedOut)
}
