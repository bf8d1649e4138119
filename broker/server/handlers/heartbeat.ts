// Renews the session of a member, and tells it whether it has to join again.

import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { handler } from '../request/handler.ts'

export const heartbeatHandler = handler(heartbeat, async (request, { broker }) => ({
  errorCode: await broker.groups.heartbeat(request.groupId, request, request.generationId),
}))
