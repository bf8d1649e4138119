// A producer of `protocol/client`: several records in flight, to partitions drawn at random.

import { Compression } from '../../../../../protocol/bytes/compression.ts'
import { Producer } from '../../../../../protocol/client/producer/producer.ts'
import { oneOf } from '../../../plan/swarm.ts'
import { type Client, messageOf } from './client.ts'

export async function idempotentProducer(client: Client): Promise<void> {
  const { cluster, recorder, random, process } = client
  const { logTopic, workload } = client.shared.parameters
  const producer = new Producer(cluster, process.runtime, {
    lingerMs: oneOf(random, [0, 1, 10]),
    batchBytes: oneOf(random, [100, 1000, 100_000]),
    compression: oneOf(random, [Compression.none, Compression.lz4, Compression.snappy]),
    deliveryTimeoutMs: workload.deliveryTimeoutMs,
  })
  const inFlight = new Set<Promise<void>>()
  for (let number = 0; !client.isOver; number++) {
    const partition = random.below(logTopic.partitions)
    const value = `${client.name}:${number}`
    const padded = value.padEnd(value.length + random.below(workload.valueBytes), '.')
    const send = recorder.begin(client.name, {
      kind: 'send',
      partition: `${logTopic.name}-${partition}`,
      value: padded,
    })
    const sent = producer.send(logTopic.name, { partition, value: Buffer.from(padded) }).then(
      ({ offset }) =>
        send.ok({
          kind: 'send',
          partition: `${logTopic.name}-${partition}`,
          value: padded,
          ...(offset >= 0 && { offset }),
        }),
      (error) => send.unknown(messageOf(error)),
    )
    inFlight.add(sent)
    void sent.then(() => inFlight.delete(sent))
    if (inFlight.size >= workload.inFlight) await Promise.race(inFlight)
    await client.think()
  }
  await Promise.all(inFlight)
  await producer.close()
}
