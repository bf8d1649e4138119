// The producer id under which a Kafka sink sends, with the next sequence number of each partition.
// Resumes from the newest stamp in the channel, so that a restart does not begin a new producer.

import type { ProducerIdentity } from '../../../protocol/client/initProducerId.ts'
import { type NextSequences, SequenceNumbers } from '../../../protocol/client/sequenceNumbers.ts'
import type { KafkaStamp } from './kafkaStamp.ts'

/**
 * Each stamp repeats the sequence numbers of all partitions. With topics named after the day or after
 * a header, stamps would grow without bound, so a new producer begins after this many partitions.
 */
const mostPartitions = 1000

export class StampedProducer {
  #identity: ProducerIdentity | undefined
  readonly #numbers = new SequenceNumbers()

  /** Undefined until `renew` or `resume`. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity
  }

  /** Whether a new producer is due, once no batch of this one is in flight. */
  get isFull(): boolean {
    return this.#numbers.partitions >= mostPartitions
  }

  /** Begins a new producer: every partition starts at 0. */
  renew(identity: ProducerIdentity): void {
    this.forget()
    this.#identity = identity
  }

  /** The next send needs a new producer. */
  forget(): void {
    this.#identity = undefined
    this.#numbers.reset()
  }

  /** Continues after the take that the stamp describes. */
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
