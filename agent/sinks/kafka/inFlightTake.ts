// A take in flight: collects the responses to its batches, and tells whether all are stored or
// which one was refused and why.

import type { SentBatch } from '../../../protocol/client/producer/batchSender.ts'
import type { ChannelTransaction } from '../../channels/channel.ts'
import type { EventBatch } from '../../event.ts'
import type { KafkaStamp, StampedSend } from './kafkaStamp.ts'

export interface Send {
  readonly stamp: StampedSend
  readonly sizeBytes: number
  readonly sent: Promise<SentBatch>
}

/** A send that was refused, with the event batches of its take. */
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
  /** Monotonic time of the send. */
  readonly sentMs: number
  /** The partition of the first send, for messages. */
  readonly place: string
  /** Resolves when every send has its response; never rejects. */
  readonly settled: Promise<void>
  /** Whether every batch was acknowledged. */
  isStored = false
  /** The first refused send; set once all sends have their responses. */
  refusal: Refusal | undefined
  /** The refused sends; set once all sends have their responses. */
  unstored: readonly StampedSend[] = []
  /** Whether some of the take's events are stored: the take must not be rolled back. */
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
