// A take whose batches are on their way: whether all of them are stored, or which is not and why.

import type { SentBatch } from '../../../protocol/client/batchSender.ts'
import type { ChannelTransaction } from '../../channels/channel.ts'
import type { EventBatch } from '../../event.ts'
import type { StampedSend } from './kafkaStamp.ts'

export interface Send {
  readonly stamp: StampedSend
  readonly sizeBytes: number
  readonly sent: Promise<SentBatch>
}

/** A send that the broker will not have, and the events it was made from, some or all of them. */
export interface Refusal {
  readonly send: Send
  readonly batches: readonly EventBatch[]
  readonly error: Error
}

export class InFlightTake {
  readonly transaction: ChannelTransaction
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

  constructor(
    transaction: ChannelTransaction,
    batches: readonly EventBatch[],
    sends: readonly Send[],
    sentMs: number,
  ) {
    this.transaction = transaction
    this.sentMs = sentMs
    const { topic, partition } = sends[0]!.stamp
    this.place = `${topic}-${partition}`
    this.events = batches.reduce((sum, batch) => sum + batch.count, 0)
    this.settled = Promise.allSettled(sends.map(({ sent }) => sent)).then((results) => {
      const index = results.findIndex((result) => result.status === 'rejected')
      const result = results[index]
      if (result?.status !== 'rejected') this.isStored = true
      else this.refusal = { send: sends[index]!, batches, error: result.reason as Error }
    })
  }
}
