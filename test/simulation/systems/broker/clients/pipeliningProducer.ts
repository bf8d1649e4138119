// A raw producer with several batches in flight on two connections, where later ones overtake
// earlier ones. The broker has to refuse a batch until the ones before it are stored, so that the
// log has no gap in the sequence of a producer.

import { initProducerId } from '../../../../../protocol/client/producer/initProducerId.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { RecordBatchBuilder } from '../../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { noteProducerId } from './carelessProducer.ts'
import { type Client, throwUnlessNone } from './client.ts'
import { type BatchPlace, type SentBatch, sendBatch } from './sendBatch.ts'

/** Batches of a producer that a broker remembers. */
const mostInFlight = 5

export async function pipeliningProducer(client: Client): Promise<void> {
  const { cluster, recorder, random } = client
  const { logTopic } = client.shared.parameters
  const topic = logTopic.name
  const partition = random.below(logTopic.partitions)
  const lanes = ['one', 'other'].map((name) => cluster.newLane(name))
  const identity = await initProducerId(cluster, Number.POSITIVE_INFINITY)
  noteProducerId(client, identity.producerId, identity.producerEpoch)
  let sequence = 0
  const sendNext = async (lane: string): Promise<void> => {
    const value = `${client.name}:${sequence}`
    const builder = new RecordBatchBuilder({ ...identity, baseSequence: sequence++ })
    builder.append(client.clock.nowMs(), null, Buffer.from(value))
    const operation = { kind: 'send', partition: `${topic}-${partition}`, value } as const
    const pending = recorder.begin(client.name, operation)
    const { offset } = await deliver(client, { topic, partition, lane }, builder.build())
    pending.ok(offset >= 0 ? { ...operation, offset } : operation)
  }
  // Alone: a broker accepts any sequence number of a producer that it does not know (KIP-360).
  await sendNext(lanes[0]!)
  while (!client.isOver) {
    await client.think()
    const count = 1 + random.below(mostInFlight)
    const sent = Array.from({ length: count }, () => sendNext(lanes[random.below(2)]!))
    await Promise.all(sent)
  }
}

/** Repeats the batch until it is stored, also while earlier ones are missing. */
async function deliver(client: Client, place: BatchPlace, batch: Buffer): Promise<SentBatch> {
  const backoff = client.cluster.newBackoff()
  for (;;) {
    const sent = await client.patiently(async () => {
      const found = await sendBatch(client, place, Buffer.from(batch))
      if (!isUsual.has(found.errorCode)) throwUnlessNone(found.errorCode)
      return found
    })
    if (sent.errorCode !== ErrorCode.outOfOrderSequenceNumber) return sent
    client.shared.reached('a batch was refused until the one before it is stored')
    await client.pause(backoff.failed())
  }
}

const isUsual: ReadonlySet<number> = new Set([
  ErrorCode.none,
  ErrorCode.duplicateSequenceNumber,
  ErrorCode.outOfOrderSequenceNumber,
])
