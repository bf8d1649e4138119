// Requests the identity of an idempotent producer: the producer id and epoch under which it numbers
// its batches, so that the broker stores each batch once, however often it is sent.

import { initProducerId as initProducerIdApi } from '../../kafka/apis/initProducerId.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { Cluster } from '../cluster/cluster.ts'

export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

/**
 * Requests a new producer id from any broker, with retries for `timeoutMs`. Fails with KafkaError,
 * NetworkError or ClientError.
 */
export async function initProducerId(
  cluster: Cluster,
  timeoutMs = 2 * cluster.requestTimeoutMs,
): Promise<ProducerIdentity> {
  return await cluster.retrying(timeoutMs, async () => {
    const connection = await cluster.any()
    const answer = await connection.send(initProducerIdApi, {
      transactionalId: null,
      transactionTimeoutMs: 0,
    })
    if (answer.errorCode !== ErrorCode.none) throw new KafkaError(answer.errorCode)
    const { producerId, producerEpoch } = answer
    return { producerId, producerEpoch }
  })
}
