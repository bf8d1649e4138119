// A raw client that retries badly: it sends the same sequenced batch on two connections at once,
// again after it was acknowledged, and again when it is old. The broker has to store it once.

import { initProducerId } from '../../../../../protocol/client/producer/initProducerId.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { RecordBatchBuilder } from '../../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { type Client, isPassing, messageOf, throwUnlessNone } from './client.ts'
import { sendBatch } from './sendBatch.ts'

export async function carelessProducer(client: Client): Promise<void> {
  const { cluster, recorder, random } = client
  const { logTopic } = client.shared.parameters
  const lanes = ['one', 'other'].map((name) => cluster.newLane(name))
  const { producerId, producerEpoch } = await initProducerId(cluster, Number.POSITIVE_INFINITY)
  noteProducerId(client, producerId, producerEpoch)
  const partition = random.below(logTopic.partitions)
  const send = (records: Buffer, lane: string) =>
    sendBatch(client, { topic: logTopic.name, partition, lane }, records)
  let earlier: Buffer | undefined
  for (let sequence = 0; !client.isOver; sequence++) {
    const value = `${client.name}:${sequence}`
    const builder = new RecordBatchBuilder({ producerId, producerEpoch, baseSequence: sequence })
    builder.append(client.clock.nowMs(), null, Buffer.from(value))
    const batch = builder.build()
    const operation = { kind: 'send', partition: `${logTopic.name}-${partition}`, value } as const
    const pending = recorder.begin(client.name, operation)
    const copies = 1 + random.below(3)
    const attempts = Array.from({ length: copies }, (_, at) =>
      client.patiently(async () => {
        const sent = await send(Buffer.from(batch), lanes[at % 2]!)
        // Copies that overtake each other: the first one has not arrived yet, or all have.
        if (sent.errorCode !== ErrorCode.duplicateSequenceNumber) throwUnlessNone(sent.errorCode)
        return sent.offset
      }),
    )
    try {
      const offset = await Promise.any(attempts)
      pending.ok(offset >= 0 ? { ...operation, offset } : operation)
    } catch (error) {
      const [first] = (error as AggregateError).errors
      pending.unknown(messageOf(first))
      client.shared.violate('refused batch', `${client.name} was refused: ${messageOf(first)}`)
      return
    }
    await Promise.allSettled(attempts)
    if (earlier !== undefined && random.below(4) === 0) {
      client.shared.reached('an old batch was sent again')
      await send(Buffer.from(earlier), lanes[0]!).catch((error) => {
        if (!isPassing(error)) throw error
      })
    }
    if (random.below(3) === 0) earlier = batch
    await client.think()
  }
}

/** A producer id is never given out twice. */
export function noteProducerId(client: Client, producerId: number, epoch: number): void {
  const { memories } = client.shared
  const given = (memories.get('producer ids') ?? new Map()) as Map<string, string>
  memories.set('producer ids', given)
  const key = `${producerId} with epoch ${epoch}`
  const other = given.get(key)
  if (other !== undefined) {
    client.shared.violate(
      'producer id given out twice',
      `producer id ${key} was given to ${other} and to ${client.name}`,
    )
  }
  given.set(key, client.name)
}
