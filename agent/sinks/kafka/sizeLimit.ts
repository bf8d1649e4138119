// The size limit of a Kafka sink's batches: as configured, or lower after the broker refused a
// batch as too large. Logs when the limit is lowered and when an event is split.

import { ErrorCode, KafkaError } from '../../../protocol/kafka/errors.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { EventBatch, Headers } from '../../event.ts'
import type { Refusal } from './inFlightTake.ts'

/** Lower bound of the limit. */
const smallestLimitBytes = 1024
/** Minimum interval between equal warnings. */
const repeatMs = 10 * 60_000

export function isTooLarge(error: Error): boolean {
  if (!(error instanceof KafkaError)) return false
  return (
    error.errorCode === ErrorCode.messageTooLarge ||
    error.errorCode === ErrorCode.recordListTooLarge
  )
}

export class SizeLimit {
  readonly #logger: Logger
  readonly #clock: Clock
  #bytes: number
  #stuckMs = Number.NEGATIVE_INFINITY
  #splitMs = Number.NEGATIVE_INFINITY
  #splitEvents = 0

  constructor(bytes: number, logger: Logger, clock: Clock) {
    this.#bytes = bytes
    this.#logger = logger
    this.#clock = clock
  }

  /** Maximum bytes of a batch before compression. */
  get bytes(): number {
    return this.#bytes
  }

  /** The broker refused a batch as too large: lowers the limit to half of it. */
  refused({ send, batches }: Refusal): void {
    const { topic, partition, events } = send.stamp
    const bodies = bodyBytes(batches, events)
    const isLowest = this.#bytes <= smallestLimitBytes
    const nowMs = this.#clock.monotonicMs()
    const place = { topic, partition, batchBytes: send.sizeBytes }
    if (isLowest) {
      if (nowMs - this.#stuckMs < repeatMs) return
      this.#stuckMs = nowMs
      this.#logger.error(
        place,
        `the broker refused a batch of ${send.sizeBytes} bytes as too large, and it cannot be split further: all later events wait; raise message.max.bytes of the broker or max.message.bytes of the topic; retried until it is accepted`,
      )
      return
    }
    const half = Math.floor(Math.min(this.#bytes, bodies) / 2)
    this.#bytes = Math.max(half, smallestLimitBytes)
    this.#logger.warn(
      { ...place, maxBytes: this.#bytes },
      `the broker refused a batch of ${send.sizeBytes} bytes as too large: from now on batches have at most ${this.#bytes} bytes and larger events are split; to allow larger ones, raise message.max.bytes of the broker or max.message.bytes of the topic`,
    )
  }

  /** An event was sent as `parts` records. */
  split(sizeBytes: number, parts: number, headers: Headers): void {
    this.#splitEvents++
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#splitMs < repeatMs) return
    this.#splitMs = nowMs
    this.#logger.warn(
      { sizeBytes, parts, headers, splitEvents: this.#splitEvents },
      `an event of ${sizeBytes} bytes exceeds the maximum size of a record (${this.#bytes} bytes): sent as ${parts} records, numbered in the headers millrace.part and millrace.parts; to send such events whole, raise kafka.producer.max.request.size and message.max.bytes of the broker`,
    )
  }
}

/**
 * Returns the body bytes of the events with these indexes in the take; undefined: of all events.
 */
function bodyBytes(batches: readonly EventBatch[], events: readonly number[] | undefined): number {
  if (events === undefined) return batches.reduce((sum, batch) => sum + batch.bodyBytes(), 0)
  const chosen = new Set(events)
  let event = 0
  let bytes = 0
  for (const batch of batches) {
    for (let index = 0; index < batch.count; index++) {
      if (chosen.has(event++)) bytes += batch.end(index) - batch.start(index)
    }
  }
  return bytes
}
