// Gives a producer the id under which its batches are deduplicated, and a transactional producer
// the epoch that fences its predecessors.

import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import { BrokerError } from '../../errors.ts'
import { noEpoch, noProducerId } from '../../transactions/transactionMetadata.ts'
import { failed, type TransactionOutcome } from '../../transactions/transactionOutcome.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'
import { errorForOlder } from '../transactions/producerFenced.ts'

/** From this version on, a client knows PRODUCER_FENCED. */
const fencedVersion = 4

export const initProducerIdHandler = handler(
  initProducerId,
  async (request, { broker, apiVersion }) => {
    const { transactionalId } = request
    if (transactionalId === null) {
      // Always a new id, whatever id and epoch the client says it has: without a transactional id
      // there is nothing that would prove it, and some clients send zeros.
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
 * As in Kafka, while no ids can be reserved, the client is answered COORDINATOR_LOAD_IN_PROGRESS
 * and retries.
 */
async function nextProducer({ producerIds, logger }: BrokerParts): Promise<TransactionOutcome> {
  try {
    const producerId = await producerIds.next()
    return { errorCode: ErrorCode.none, producerId, producerEpoch: 0 }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    logger.error({ error }, 'no producer id could be reserved')
    return failed(ErrorCode.coordinatorLoadInProgress)
  }
}

function isHalfKnown({ producerId, producerEpoch }: RequestOf<typeof initProducerId>): boolean {
  return (producerId === noProducerId) !== (producerEpoch === noEpoch)
}

function expectedOf({ producerId, producerEpoch }: RequestOf<typeof initProducerId>) {
  return producerId === noProducerId ? undefined : { producerId, producerEpoch }
}
