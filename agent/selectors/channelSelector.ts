// The interface of a channel selector, which selects the channels of a source for each event. A
// selector only splits batches: the processor puts every position into every required channel, with
// or without events.

import type { Channel } from '../channels/channel.ts'
import type { EventBatch } from '../event.ts'

export interface ChannelSelector {
  /** Channels that must get every event: the source retries a put that one of them refuses. */
  readonly required: readonly Channel[]
  /** Channels that may lose events: a put that one of them refuses is logged and dropped. */
  readonly optional: readonly Channel[]
  /**
   * Returns the part of a batch for one of the channels, in the order of the batch: the batch
   * itself, a result of `EventBatch.select` or `slice`, or an empty batch.
   */
  select(batch: EventBatch, channel: Channel): EventBatch
}
