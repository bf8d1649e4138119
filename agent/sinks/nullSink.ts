// Flume's null sink: takes events and discards them. For measuring the speed of sources and
// channels.

import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { Channel } from '../channels/channel.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import type { Polled } from '../polled.ts'
import { type DrainFigures, drainBatch } from './drainBatch.ts'

export const nullSinkOptions = {
  batchSize: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'Maximum number of events in one take.',
  },
  logEveryNEvents: {
    type: 'integer',
    default: 10_000,
    doc: 'Number of events after which their count is logged; 0 disables it.',
  },
} as const satisfies OptionTable

export class NullSink implements Polled {
  readonly #channel: Channel
  readonly #options: OptionValues<typeof nullSinkOptions>
  readonly #figures: DrainFigures
  readonly #logger: Logger
  #events = 0

  constructor(
    channel: Channel,
    options: OptionValues<typeof nullSinkOptions>,
    figures: DrainFigures,
    logger: Logger,
  ) {
    this.#channel = channel
    this.#options = options
    this.#figures = figures
    this.#logger = logger
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  process(signal: AbortSignal): Promise<number> {
    const { batchSize, logEveryNEvents } = this.#options
    return drainBatch(this.#channel, batchSize, this.#figures, signal, (batches) => {
      const before = this.#events
      for (const batch of batches) this.#events += batch.count
      if (logEveryNEvents === 0) return
      if (Math.floor(before / logEveryNEvents) === Math.floor(this.#events / logEveryNEvents))
        return
      this.#logger.info({ events: this.#events }, 'null sink')
    })
  }
}
