// The names of transaction states in Kafka's tools.

import { TransactionStatus } from '../../protocol/kafka/coordinators/transactionRecords.ts'

const names = new Map<TransactionStatus, string>([
  [TransactionStatus.empty, 'Empty'],
  [TransactionStatus.ongoing, 'Ongoing'],
  [TransactionStatus.prepareCommit, 'PrepareCommit'],
  [TransactionStatus.prepareAbort, 'PrepareAbort'],
  [TransactionStatus.completeCommit, 'CompleteCommit'],
  [TransactionStatus.completeAbort, 'CompleteAbort'],
  [TransactionStatus.dead, 'Dead'],
  [TransactionStatus.prepareEpochFence, 'PrepareEpochFence'],
])

export function transactionStateName(status: TransactionStatus): string {
  return names.get(status)!
}

export const transactionStateNames: ReadonlySet<string> = new Set(names.values())
