// A take whose batches are in flight: whether all of them are stored, or which one failed and why.

import type { SentBatch } from '../../../protocol/client/batchSender.ts'
import type { ChannelTransaction } from '../../channels/channel.ts'
import type { EventBatch } from '../../event.ts'
import type { KafkaStamp, StampedSend } from './kafkaStamp.ts'

export interface Send {
  readonly stamp: StampedSend
  readonly sizeBytes: number
  readonly sent: Promise<SentBatch>
}

/** A send that the broker refused, and the batches of its events. */
export interface Refusal {
  readonly send: Send
  readonly batches: readonly EventBatch[]
  readonly error: Error
}

export class InFlightTake {
  readonly transaction: ChannelTransaction
  readonly batches: readonly EventBatch[]
  readonly stamp: KafkaStamp
  readonly events: number
  /** Monotonic time. */
  readonly sentMs: number
  /** The partition of the first send, for messages. */
  readonly place: string
  /** Resolves, and never rejects, when every send is answered. */
  readonly settled: Promise<void>
  /** Every batch is in the log of its partition. */
  isStored = false
  /** Set when all are answered and one was refused: the first of them. */
  refusal: Refusal | undefined
  /** Sends that were refused; known when all are answered. */
  unstored: readonly StampedSend[] = []
  /** Whether some of the take's events are stored already: they must not be taken again. */
  isPartlyStored: boolean

  constructor(
    transaction: ChannelTransaction,
    batches: readonly EventBatch[],
    stamp: KafkaStamp,
    sends: readonly Send[],
    sentMs: number,
    isPartlyStored: boolean,
  ) {
    this.transaction = transaction
    this.batches = batches
    this.stamp = stamp
    this.sentMs = sentMs
    this.isPartlyStored = isPartlyStored
    const { topic, partition } = sends[0]!.stamp
    this.place = `${topic}-${partition}`
    this.events = batches.reduce((sum, batch) => sum + batch.count, 0)
    this.settled = Promise.allSettled(sends.map(({ sent }) => sent)).then((results) => {
      const refused = sends.filter((_, index) => results[index]!.status === 'rejected')
      const result = results.find(({ status }) => status === 'rejected')
      if (result?.status !== 'rejected') this.isStored = true
      else this.refusal = { send: refused[0]!, batches, error: result.reason as Error }
      this.unstored = refused.map(({ stamp }) => stamp)
      if (refused.length < sends.length) this.isPartlyStored = true
    })
  }
}
