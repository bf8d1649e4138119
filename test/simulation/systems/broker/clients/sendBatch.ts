// Sends one encoded batch over the wire: one attempt of a raw producer.

import { produce } from '../../../../../protocol/kafka/apis/produce.ts'
import type { Client } from './client.ts'

/** The newest version that names topics. */
const produceVersion = 12

export interface BatchPlace {
  readonly topic: string
  readonly partition: number
  readonly lane?: string | undefined
}

export interface SentBatch {
  readonly errorCode: number
  /** -1 if the broker does not say it. */
  readonly offset: number
}

export async function sendBatch(
  { cluster }: Client,
  { topic, partition, lane }: BatchPlace,
  records: Buffer,
  { transactionalId = null as string | null, version = produceVersion } = {},
): Promise<SentBatch> {
  const connection = await cluster.leader(topic, partition, lane)
  const request = {
    ...{ transactionalId, acks: -1, timeoutMs: 30_000 },
    topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
  }
  const answer = await connection.send(produce, request, { version })
  const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!
  return { errorCode, offset: baseOffset }
}
