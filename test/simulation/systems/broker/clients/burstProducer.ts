// Producers of `protocol/client` that live for one burst of records, each in a batch of its own:
// the first batches of a producer are in flight again and again.

import { Producer } from '../../../../../protocol/client/producer/producer.ts'
import type { Client } from './client.ts'

const mostRecords = 6

export async function burstProducer(client: Client): Promise<void> {
  const { cluster, recorder, random, process } = client
  const { logTopic } = client.shared.parameters
  for (let burst = 0; !client.isOver; burst++) {
    const producer = new Producer(cluster, process.runtime, {
      lingerMs: 0,
      batchBytes: 1,
      deliveryTimeoutMs: Number.POSITIVE_INFINITY,
    })
    const partition = random.below(logTopic.partitions)
    const count = 2 + random.below(mostRecords - 1)
    const sent = Array.from({ length: count }, async (_, number) => {
      const value = `${client.name}:${burst}.${number}`
      const operation = { kind: 'send', partition: `${logTopic.name}-${partition}`, value } as const
      const pending = recorder.begin(client.name, operation)
      const record = { partition, value: Buffer.from(value) }
      const { offset } = await producer.send(logTopic.name, record)
      pending.ok(offset >= 0 ? { ...operation, offset } : operation)
    })
    await Promise.all(sent)
    await producer.close()
    await client.think()
    await client.think()
  }
}
