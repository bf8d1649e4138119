// Under which producer id a Kafka sink sends, and the next sequence of each partition. Goes on from
// the newest stamp in the channel, so that a restart does not begin a new producer.

import type { ProducerIdentity } from '../../../protocol/client/initProducerId.ts'
import { sequenceAfter } from '../../../protocol/kafka/recordBatch.ts'
import type { KafkaStamp, NextSequences } from './kafkaStamp.ts'

export class ProducerSequences {
  #identity: ProducerIdentity | undefined
  readonly #next = new Map<string, Map<number, number>>()

  /** Undefined until there is one: then sequences start at 0. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity
  }

  /** A new producer: everything starts at 0. */
  renew(identity: ProducerIdentity): void {
    this.#identity = identity
    this.#next.clear()
  }

  /** The broker does not want this producer any more. */
  forget(): void {
    this.#identity = undefined
    this.#next.clear()
  }

  /** Goes on after what a stamp says. */
  resume({ producerId, producerEpoch, nextSequences }: KafkaStamp): void {
    this.renew({ producerId, producerEpoch })
    for (const [topic, partitions] of Object.entries(nextSequences)) {
      const next = new Map(Object.entries(partitions).map(([index, at]) => [Number(index), at]))
      this.#next.set(topic, next)
    }
  }

  /** The sequence of the next `count` records of a partition. */
  advance(topic: string, partition: number, count: number): number {
    const partitions = this.#next.get(topic) ?? new Map<number, number>()
    this.#next.set(topic, partitions)
    const sequence = partitions.get(partition) ?? 0
    partitions.set(partition, sequenceAfter(sequence, count))
    return sequence
  }

  snapshot(): NextSequences {
    return Object.fromEntries(
      [...this.#next].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)]),
    )
  }
}
