// Flume's logger sink: logs each event as one line, with its headers and the first bytes of its
// body in hexadecimal and as text. For trying out a configuration.

import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { Channel } from '../channels/channel.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import type { Headers } from '../event.ts'
import type { Polled } from '../polled.ts'
import { type DrainFigures, drainBatch } from './drainBatch.ts'

export const loggerSinkOptions = {
  maxBytesToLog: {
    type: 'integer',
    default: 16,
    doc: 'Maximum number of bytes of a body that are logged.',
  },
} as const satisfies OptionTable

const eventsPerTake = 100
const bytesPerRow = 16

export class LoggerSink implements Polled {
  readonly #channel: Channel
  readonly #options: OptionValues<typeof loggerSinkOptions>
  readonly #figures: DrainFigures
  readonly #logger: Logger

  constructor(
    channel: Channel,
    options: OptionValues<typeof loggerSinkOptions>,
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
    return drainBatch(this.#channel, eventsPerTake, this.#figures, signal, (batches) => {
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

/** Returns `Event: { headers:{a=b} body: 68 65 6C 6C 6F                          hello }`. */
export function formatEvent(headers: Headers, body: Buffer, maxBytes: number): string {
  const pairs = Object.entries(headers).map(([name, value]) => `${name}=${value}`)
  return `Event: { headers:{${pairs.join(', ')}} body:${dump(body.subarray(0, maxBytes))} }`
}

/** Rows of 16 bytes, in hexadecimal and as text. As in Flume, the first row has no offset. */
function dump(bytes: Buffer): string {
  const rows: string[] = []
  for (let at = 0; at < bytes.length; at += bytesPerRow) {
    const row = [...bytes.subarray(at, at + bytesPerRow)]
    const offset = at === 0 ? '' : hex(at, 8)
    const columns = row.map((byte) => `${hex(byte, 2)} `).join('')
    rows.push(`${offset} ${columns.padEnd(bytesPerRow * 3)}${row.map(printable).join('')}`)
  }
  return rows.join('\n')
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}

function printable(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'
}
