// InitProducerId: gives a producer the id by which its batches are deduplicated, and a
// transactional producer the epoch that fences its predecessors.

import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { BrokerError } from '../../errors.ts'
import { noEpoch, noProducerId } from '../../transactions/transactionMetadata.ts'
import { failed, type TransactionOutcome } from '../../transactions/transactionOutcome.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'
import { errorForOlder } from '../transactions/producerFenced.ts'

/** First version whose clients know PRODUCER_FENCED. */
const fencedVersion = 4

export const initProducerIdHandler = handler(
  initProducerId,
  async (request, { broker, apiVersion }) => {
    const { transactionalId } = request
    if (transactionalId === null) {
      // Always a new id, whatever id and epoch the client sends: without a transactional id nothing
      // proves them, and some clients send zeros.
      return { ...(await nextProducer(broker)) }
    }
    const outcome = isHalfKnown(request)
      ? failed(ErrorCode.invalidRequest)
      : await broker.transactions.initProducerId(transactionalId, {
          timeoutMs: request.transactionTimeoutMs,
          expected: expectedOf(request),
        })
    const errorCode = errorForOlder(outcome.errorCode, apiVersion, fencedVersion)
    return { ...outcome, errorCode }
  },
)

/**
 * Returns a new producer id. While none can be reserved, the client is answered
 * COORDINATOR_LOAD_IN_PROGRESS, as in Kafka, and retries.
 */
async function nextProducer({ producerIds, logger }: BrokerParts): Promise<TransactionOutcome> {
  try {
    const producerId = await producerIds.next()
    return { errorCode: ErrorCode.none, producerId, producerEpoch: 0 }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    logger.error({ error }, 'failed to reserve a producer id; the client is asked to retry')
    return failed(ErrorCode.coordinatorLoadInProgress)
  }
}

function isHalfKnown({ producerId, producerEpoch }: RequestOf<typeof initProducerId>): boolean {
  return (producerId === noProducerId) !== (producerEpoch === noEpoch)
}

function expectedOf({ producerId, producerEpoch }: RequestOf<typeof initProducerId>) {
  return producerId === noProducerId ? undefined : { producerId, producerEpoch }
}
