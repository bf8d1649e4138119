// The producer id of a Kafka sink, with the next sequence number of each partition. Resumes from
// the newest stamp in the channel, so that a restart does not need a new producer id.

import type { ProducerIdentity } from '../../../protocol/client/producer/initProducerId.ts'
import {
  type NextSequences,
  SequenceNumbers,
} from '../../../protocol/client/producer/sequenceNumbers.ts'
import type { KafkaStamp } from './kafkaStamp.ts'

/**
 * Each stamp contains the sequence numbers of all partitions. With topics named after the day or
 * after a header, stamps would grow without bound, so a new producer is used after this many
 * partitions.
 */
const mostPartitions = 1000

export class StampedProducer {
  #identity: ProducerIdentity | undefined
  readonly #numbers = new SequenceNumbers()

  /** Undefined until `renew` or `resume`. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity
  }

  /** Whether a new producer is due as soon as no batch of this one is in flight. */
  get isFull(): boolean {
    return this.#numbers.partitions >= mostPartitions
  }

  /** Starts a new producer: the sequence numbers of all partitions start at 0. */
  renew(identity: ProducerIdentity): void {
    this.forget()
    this.#identity = identity
  }

  /** Drops the producer: `renew` must be called before the next send. */
  forget(): void {
    this.#identity = undefined
    this.#numbers.reset()
  }

  /** Continues with the sequence numbers after a stamped take. */
  resume({ producerId, producerEpoch, nextSequences }: KafkaStamp): void {
    this.#identity = { producerId, producerEpoch }
    this.#numbers.restore(nextSequences)
  }

  /** Returns the sequence number of the first of the next `count` records of the partition. */
  advance(topic: string, partition: number, count: number): number {
    return this.#numbers.advance(topic, partition, count)
  }

  snapshot(): NextSequences {
    return this.#numbers.snapshot()
  }
}
