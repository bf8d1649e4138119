// What decides into which of a source's channels an event goes. A selector only splits batches: that
// every required channel hears of every position, with or without events, is the processor's part.

import type { Channel } from '../channels/channel.ts'
import type { EventBatch } from '../event.ts'

export interface ChannelSelector {
  /** A put that one of these refuses is tried again by the source. */
  readonly required: readonly Channel[]
  /** What one of these refuses is logged and dropped. */
  readonly optional: readonly Channel[]
  /**
   * The part of a batch that goes into one of the channels, in the batch's order: the batch itself,
   * what `EventBatch.select` or `slice` makes of it, an empty one.
   */
  select(batch: EventBatch, channel: Channel): EventBatch
}
