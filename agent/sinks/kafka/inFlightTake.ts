// A take whose batches are on their way: whether all of them are stored, or why not.

import type { SentBatch } from '../../../protocol/client/batchSender.ts'
import type { ChannelTransaction } from '../../channels/channel.ts'

export class InFlightTake {
  readonly transaction: ChannelTransaction
  readonly events: number
  /** Resolves, and never rejects, when every send is answered. */
  readonly settled: Promise<void>
  /** Every batch is in the log of its partition. */
  isStored = false
  /** Set when all are answered and one was refused. */
  error: Error | undefined

  constructor(
    transaction: ChannelTransaction,
    events: number,
    sends: readonly Promise<SentBatch>[],
  ) {
    this.transaction = transaction
    this.events = events
    this.settled = Promise.allSettled(sends).then((results) => {
      const refused = results.find((result) => result.status === 'rejected')
      if (refused === undefined) this.isStored = true
      else this.error = refused.reason as Error
    })
  }
}
