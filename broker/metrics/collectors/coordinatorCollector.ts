// Exposes the queues of both coordinators.

import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import type { GroupService } from '../../groups/groupService.ts'
import type { TransactionService } from '../../transactions/transactionService.ts'
import { coordinatorMetrics } from '../table/coordinators.ts'
import type { Collectors } from './collectors.ts'

export interface CoordinatorSources {
  readonly groups: Pick<GroupService, 'queues'>
  readonly transactions: Pick<TransactionService, 'queues'>
}

export function collectCoordinators(
  collectors: Collectors,
  { groups, transactions }: CoordinatorSources,
): void {
  const spec = coordinatorMetrics
  const ofGroup = labelText({ coordinator: 'group' })
  const ofTransaction = labelText({ coordinator: 'transaction' })
  collectors.samples(spec.waitingRequests, (sample) => {
    sample(ofGroup, groups.queues.waitingRequests)
    sample(ofTransaction, transactions.queues.waitingRequests)
  })
  collectors.samples(spec.pendingWrites, (sample) => {
    sample(ofGroup, groups.queues.pendingWrites)
    sample(ofTransaction, transactions.queues.pendingWrites)
  })
}
