// A batch that is larger than the broker allows is tried for ever, as in Flume, and holds up what
// follows: nothing is lost, but a person must do something. This tells them what, once and then
// rarely, and never decides anything.

import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { EventBatch, Headers } from '../../event.ts'
import type { Refusal } from './inFlightTake.ts'

/** The same batch is logged again after so long. */
const repeatMs = 10 * 60_000

export function isTooLarge(error: Error): boolean {
  if (!(error instanceof KafkaError)) return false
  return (
    error.errorCode === ErrorCode.messageTooLarge ||
    error.errorCode === ErrorCode.recordListTooLarge
  )
}

export class OversizeLog {
  readonly #logger: Logger
  readonly #clock: Clock
  /** The batch that was logged last, and when. */
  #last = ''
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  report({ send, batches, error }: Refusal, maxRequestBytes: number): void {
    const { topic, partition, baseSequence, events } = send.stamp
    const batch = `${topic}/${partition}/${baseSequence}`
    const nowMs = this.#clock.monotonicMs()
    if (batch === this.#last && nowMs - this.#lastMs < repeatMs) return
    this.#last = batch
    this.#lastMs = nowMs
    const largest = largestEvent(batches, events)
    this.#logger.error(
      {
        topic,
        partition,
        batchBytes: send.sizeBytes,
        events: largest.of,
        largestEventBytes: largest.sizeBytes,
        headers: largest.headers,
        error,
      },
      message(send.sizeBytes, largest.of, maxRequestBytes),
    )
  }
}

function message(sizeBytes: number, events: number, maxRequestBytes: number): string {
  const cause =
    events === 1
      ? `one event makes a batch of ${sizeBytes} bytes (which kafka.producer.max.request.size, ${maxRequestBytes}, does not bound)`
      : `a batch of ${events} events has ${sizeBytes} bytes (kafka.producer.max.request.size is ${maxRequestBytes}; lower it to what the broker allows, or less, for later batches)`
  return (
    `the broker refuses a batch as too large, and all events behind it wait: ${cause}; ` +
    `raise message.max.bytes of the broker, or max.message.bytes of the topic, to ${sizeBytes} or more: ` +
    'it is tried until then. The headers of its largest event tell the file and the offset when its source has fileHeader and byteOffsetHeader'
  )
}

interface LargestEvent {
  readonly headers: Headers
  readonly sizeBytes: number
  /** Among how many events it is the largest. */
  readonly of: number
}

/** `events` are the chosen ones, counted over all batches; undefined: all. */
function largestEvent(
  batches: readonly EventBatch[],
  events: readonly number[] | undefined,
): LargestEvent {
  const chosen = events && new Set(events)
  let largest: LargestEvent = { headers: {}, sizeBytes: -1, of: 0 }
  let event = 0
  let of = 0
  for (const batch of batches) {
    for (let index = 0; index < batch.count; index++) {
      if (chosen?.has(event++) === false) continue
      of++
      const sizeBytes = batch.end(index) - batch.start(index)
      if (sizeBytes > largest.sizeBytes)
        largest = { headers: batch.headersOf(index), sizeBytes, of }
    }
  }
  return { ...largest, of }
}
