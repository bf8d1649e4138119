// Counts requests that have bytes after their last field. Kafka's generated decoders ignore such
// bytes, and widespread clients send them (librdkafka's Metadata for all topics), so that refusing
// them would refuse these clients. The bytes are bounded with their frame, and neither decoded nor
// stored.

import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'

export class FollowedRequests {
  readonly #logger: Logger
  /** The counts, by API name. */
  readonly counts = new Map<string, number>()
  /** Names of the APIs that were logged, so that the log does not grow with each such request. */
  readonly #logged = new Set<string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  note({ name }: Api, version: number, bytes: number, clientId: string | null): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    if (this.#logged.has(name)) return
    this.#logged.add(name)
    this.#logger.info(
      { api: name, version, bytes, clientId },
      'a request has bytes after its last field, which are ignored; logged once per API',
    )
  }
}
