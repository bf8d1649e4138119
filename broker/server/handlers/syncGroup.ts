// SyncGroup: the leader of a classic group submits the assignments of all members, and every member
// waits for its own.

import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { handler } from '../request/handler.ts'

export const syncGroupHandler = handler(syncGroup, (request, { broker }) =>
  broker.groups.sync(request.groupId, request),
)
