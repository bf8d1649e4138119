// Routes requests about groups to their coordinators.

import { ErrorCode } from '../../kafka/errors.ts'
import type { Outcome } from '../adminApi.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import type { Routing } from './adminRequests.ts'

const passing: ReadonlySet<number> = new Set([
  ErrorCode.notCoordinator,
  ErrorCode.coordinatorNotAvailable,
  ErrorCode.coordinatorLoadInProgress,
])

export function toCoordinators<Answer extends Outcome>(
  cluster: Cluster,
  ask: (connection: KafkaConnection, groupIds: readonly string[]) => Promise<readonly Answer[]>,
  failed: (groupId: string, outcome: Outcome) => Answer,
): Routing<string, Answer> {
  const mayPass = (errorCode: number) => passing.has(errorCode)
  return {
    route: (groupId) => cluster.coordinator(groupId),
    ask,
    failed,
    mayPass,
    routeMayPass: mayPass,
    forget: (groupId) => cluster.forgetCoordinator(groupId),
  }
}

/** Whether an error means that the coordinator has moved or is not ready yet. */
export function mayPassAtCoordinator(errorCode: number): boolean {
  return passing.has(errorCode)
}
