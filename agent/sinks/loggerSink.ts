// Flume's logger sink: each event as a line of the log, its headers and the first bytes of its body
// in hexadecimal and as text. For trying a configuration out.

import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { Channel } from '../channels/channel.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import type { Headers } from '../event.ts'
import type { SinkCounter } from '../monitoring/counters.ts'
import type { Polled } from '../polled.ts'
import { drainBatch } from './drainBatch.ts'

export const loggerSinkOptions = {
  maxBytesToLog: { type: 'integer', default: 16, doc: 'bytes of a body that are shown' },
} as const satisfies OptionTable

const eventsPerTake = 100

export class LoggerSink implements Polled {
  readonly #channel: Channel
  readonly #options: OptionValues<typeof loggerSinkOptions>
  readonly #counter: SinkCounter
  readonly #logger: Logger

  constructor(
    channel: Channel,
    options: OptionValues<typeof loggerSinkOptions>,
    counter: SinkCounter,
    logger: Logger,
  ) {
    this.#channel = channel
    this.#options = options
    this.#counter = counter
    this.#logger = logger
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  process(signal: AbortSignal): Promise<number> {
    return drainBatch(this.#channel, eventsPerTake, this.#counter, signal, (batches) => {
      for (const batch of batches) {
        for (let index = 0; index < batch.count; index++) {
          const line = formatEvent(
            batch.headersOf(index),
            batch.body(index),
            this.#options.maxBytesToLog,
          )
          this.#logger.info({}, line)
        }
      }
    })
  }
}

/** `Event: { headers:{a=b} body: 68 65 6C 6C 6F                                  hello }` */
export function formatEvent(headers: Headers, body: Buffer, maxBytes: number): string {
  const pairs = Object.entries(headers).map(([name, value]) => `${name}=${value}`)
  const shown = body.subarray(0, maxBytes)
  const hex = [...shown].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')
  const text = [...shown].map((byte) =>
    byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.',
  )
  const columns = 16 * 3
  return `Event: { headers:{${pairs.join(', ')}} body: ${hex.padEnd(columns)}${text.join('')} }`
}
