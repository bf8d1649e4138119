// The producer id under which a Kafka sink sends, and the next sequence of each partition. Continues
// after the newest stamp in the channel, so that a restart does not begin a new producer.

import type { ProducerIdentity } from '../../../protocol/client/initProducerId.ts'
import { sequenceAfter } from '../../../protocol/kafka/recordBatch.ts'
import type { KafkaStamp, NextSequences } from './kafkaStamp.ts'

/**
 * Each stamp repeats the sequences of all partitions. Topics that are named after the day, or after a
 * header, would let stamps grow without end, so a new producer begins after so many partitions.
 */
const mostPartitions = 1000

export class ProducerSequences {
  #identity: ProducerIdentity | undefined
  readonly #next = new Map<string, Map<number, number>>()
  #partitions = 0

  /** Undefined until there is one: then sequences start at 0. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity
  }

  /** Whether a new producer is due, once nothing of this one is in flight. */
  get isFull(): boolean {
    return this.#partitions >= mostPartitions
  }

  /** A new producer: everything starts at 0. */
  renew(identity: ProducerIdentity): void {
    this.forget()
    this.#identity = identity
  }

  /** The next send is under a new producer. */
  forget(): void {
    this.#identity = undefined
    this.#next.clear()
    this.#partitions = 0
  }

  /** Continues after what a stamp says. */
  resume({ producerId, producerEpoch, nextSequences }: KafkaStamp): void {
    this.renew({ producerId, producerEpoch })
    for (const [topic, partitions] of Object.entries(nextSequences)) {
      const next = new Map(Object.entries(partitions).map(([index, at]) => [Number(index), at]))
      this.#next.set(topic, next)
      this.#partitions += next.size
    }
  }

  /** The sequence of the next `count` records of a partition. */
  advance(topic: string, partition: number, count: number): number {
    const partitions = this.#next.get(topic) ?? new Map<number, number>()
    this.#next.set(topic, partitions)
    if (!partitions.has(partition)) this.#partitions++
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
