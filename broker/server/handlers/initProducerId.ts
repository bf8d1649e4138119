// Gives a producer the id under which its batches are deduplicated.

import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'

export const initProducerIdHandler = handler(initProducerId, async (request, { broker }) => {
  if (request.transactionalId !== null) {
    // Transactions are not served yet; FindCoordinator has said so in words.
    return refusal(ErrorCode.transactionalIdAuthorizationFailed)
  }
  // Always a new id, whatever id and epoch the client says it has: without a transactional id there
  // is nothing that would prove it, and some clients send zeros.
  const producerId = await broker.producerIds.next()
  return { throttleTimeMs: 0, errorCode: ErrorCode.none, producerId, producerEpoch: 0 }
})

function refusal(errorCode: number) {
  return { throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 }
}
