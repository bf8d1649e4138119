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
  const inFlight = new Set<Promise<boolean>>()
  let number = 0
  /** Resolves to whether the record was acknowledged. */
  const sendNext = async (): Promise<boolean> => {
    const partition = random.below(logTopic.partitions)
    const name = `${client.name}:${number++}`
    const value = name.padEnd(name.length + random.below(workload.valueBytes), '.')
    const operation = {
      kind: 'send',
      partition: `${logTopic.name}-${partition}`,
      value,
      timeoutMs: workload.deliveryTimeoutMs,
    } as const
    const pending = recorder.begin(client.name, operation)
    try {
      const { offset } = await producer.send(logTopic.name, {
        partition,
        value: Buffer.from(value),
      })
      pending.ok(offset >= 0 ? { ...operation, offset } : operation)
      return true
    } catch (error) {
      pending.unknown(messageOf(error))
      return false
    }
  }
  while (!client.isOver) {
    const sent = sendNext()
    inFlight.add(sent)
    void sent.then(() => inFlight.delete(sent))
    if (inFlight.size >= workload.inFlight) await Promise.race(inFlight)
    await client.think()
  }
  await Promise.all(inFlight)
  // With everything repaired, the producer stores records again, however many batches have failed.
  while (!(await sendNext())) await client.think()
  await producer.close()
}
