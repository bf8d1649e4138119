// The leader hands in the assignment, everyone else waits for theirs.

import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { handler } from '../request/handler.ts'

export const syncGroupHandler = handler(syncGroup, (request, { broker }) =>
  broker.groups.sync(request.groupId, request),
)
