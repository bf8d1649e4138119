// A member says that it is alive, and learns whether it has to join again.

import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { handler } from '../request/handler.ts'

export const heartbeatHandler = handler(heartbeat, (request, { broker }) => ({
  errorCode: broker.groups.heartbeat(request.groupId, request, request.generationId),
}))
