// Renews the session of a member, and tells it whether it has to join again.

import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { handler } from '../handler.ts'

export const heartbeatHandler = handler(heartbeat, async (request, { broker }) => ({
  throttleTimeMs: 0,
  errorCode: await broker.groups.heartbeat(request.groupId, request, request.generationId),
}))
