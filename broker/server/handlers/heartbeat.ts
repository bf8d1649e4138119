// Heartbeat: renews the session of a classic member, and answers whether it has to rejoin.

import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { handler } from '../request/handler.ts'

export const heartbeatHandler = handler(heartbeat, async (request, { broker }) => ({
  errorCode: await broker.groups.heartbeat(request.groupId, request, request.generationId),
}))
