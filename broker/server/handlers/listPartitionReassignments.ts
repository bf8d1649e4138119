// ListPartitionReassignments: always empty, because a single broker has no other to move replicas
// to.

import { listPartitionReassignments } from '../../../protocol/kafka/apis/listPartitionReassignments.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

export const listPartitionReassignmentsHandler = handler(listPartitionReassignments, () => ({
  errorCode: ErrorCode.none,
  errorMessage: null,
  topics: [],
}))
