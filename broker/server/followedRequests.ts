// Counts requests that have bytes after their last field. Kafka's generated readers ignore such bytes,
// and widespread clients send them (librdkafka's Metadata for all topics), so a broker that refused them
// would turn those clients away. They are bounded with their frame, never decoded and never stored.

import type { Api } from '../../protocol/kafka/schema.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { Metrics } from '../../protocol/telemetry/metrics.ts'

export class FollowedRequests {
  readonly #logger: Logger
  readonly #counter
  /** Names of APIs that were logged: the log must not grow with each request of such a client. */
  readonly #logged = new Set<string>()

  constructor(metrics: Metrics | undefined, logger: Logger) {
    this.#logger = logger
    this.#counter = metrics?.counter({
      name: 'millrace_broker_requests_followed_total',
      help: 'Requests with bytes after their last field, which were ignored.',
      labels: ['api'],
    })
  }

  note({ name }: Api, version: number, bytes: number, clientId: string | null): void {
    this.#counter?.labels(name).inc()
    if (this.#logged.has(name)) return
    this.#logged.add(name)
    this.#logger.info(
      { api: name, version, bytes, clientId },
      'a request has bytes after its last field, which are ignored; logged once per API',
    )
  }
}
