// Lists the moves of replicas under way: a single broker has nowhere to move them.

import { listPartitionReassignments } from '../../../protocol/kafka/apis/listPartitionReassignments.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'

export const listPartitionReassignmentsHandler = handler(listPartitionReassignments, () => ({
  errorCode: ErrorCode.none,
  errorMessage: null,
  topics: [],
}))
