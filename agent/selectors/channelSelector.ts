// Selects the channels of a source into which an event goes. A selector only splits batches: the processor
// puts every position into every required channel, with or without events.

import type { Channel } from '../channels/channel.ts'
import type { EventBatch } from '../event.ts'

export interface ChannelSelector {
  /** The source retries a put that one of these refuses. */
  readonly required: readonly Channel[]
  /** A put that one of these refuses is logged and dropped. */
  readonly optional: readonly Channel[]
  /**
   * The part of a batch that goes into one of the channels, in the batch's order: the batch itself,
   * what `EventBatch.select` or `slice` makes of it, an empty one.
   */
  select(batch: EventBatch, channel: Channel): EventBatch
}
