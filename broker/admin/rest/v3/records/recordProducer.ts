// Produces the records of all requests with one shared producer: records of concurrent requests
// share batches, and brokers keep the state of only one producer.

import { Producer } from '../../../../../protocol/client/producer/producer.ts'
import type { AdminContext } from '../../adminContext.ts'
import type { AdminServer } from '../../adminRoute.ts'
import { restErrorOf } from '../../failures.ts'
import { type ReadRecord, readRecordText } from './produceRequest.ts'
import {
  failedResult,
  type ProduceResult,
  type RecordPlace,
  storedResult,
} from './produceResult.ts'

/** Shorter than the timeout of a request. */
const deliveryTimeoutMs = 20_000

export class RecordProducer {
  readonly #context: AdminContext
  readonly #producer: Producer

  constructor(context: AdminContext) {
    const { cluster } = context
    this.#context = context
    this.#producer = new Producer(cluster, cluster.runtime, { lingerMs: 0, deliveryTimeoutMs })
  }

  get nowMs(): number {
    return this.#context.clock.nowMs()
  }

  /** Fails with UNKNOWN_TOPIC_OR_PARTITION if the topic does not exist. */
  async prepare(topic: string): Promise<void> {
    await this.#context.admin.describeTopics([topic])
    // The topic may have been recreated or extended since the last record.
    this.#producer.forget(topic)
  }

  /** Returns the result of a record; never fails. */
  async produce(place: RecordPlace, read: () => ReadRecord): Promise<ProduceResult> {
    try {
      const record = read()
      return storedResult(place, record, await this.#producer.send(place.topic, record.record))
    } catch (error) {
      return failedResult(restErrorOf(error))
    }
  }

  produceText(place: RecordPlace, text: Buffer): Promise<ProduceResult> {
    return this.produce(place, () => readRecordText(text, this.nowMs))
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }
}

const producers = new WeakMap<AdminContext, RecordProducer>()

/** Returns the producer of the server, which closes it. */
export function producerOf(server: AdminServer, context: AdminContext): RecordProducer {
  const known = producers.get(context)
  if (known !== undefined) return known
  const producer = new RecordProducer(context)
  producers.set(context, producer)
  server.addHook('onClose', () => producer.close())
  return producer
}
