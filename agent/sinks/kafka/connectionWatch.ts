// Checks periodically whether the cluster of a Kafka sink is reachable, even if there is nothing to
// send: an unreachable broker must be reported before the first event is late. Counts connections
// under Flume's names.

import { ClientError } from '../../../protocol/client/clientError.ts'
import type { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import type { KafkaConnection } from '../../../protocol/client/cluster/connection.ts'
import { type Clock, sleep } from '../../../protocol/runtime/time/clock.ts'
import type { SinkCounter } from '../../monitoring/counters.ts'
import type { DeliveryLog } from './deliveryLog.ts'

const intervalMs = 1000

export class ConnectionWatch {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #counter: SinkCounter
  readonly #log: DeliveryLog
  readonly #stopping = new AbortController()
  #connection: KafkaConnection | undefined

  constructor(cluster: Cluster, clock: Clock, counter: SinkCounter, log: DeliveryLog) {
    this.#cluster = cluster
    this.#clock = clock
    this.#counter = counter
    this.#log = log
  }

  /** Runs until `stop`. Calls `look` after each check of the connection. */
  async run(look: () => void): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#check()
      look()
      await sleep(this.#clock, intervalMs, this.#stopping.signal)
    }
  }

  stop(): void {
    this.#stopping.abort()
    this.#lost()
  }

  async #check(): Promise<void> {
    if (this.#connection !== undefined && !this.#connection.isOpen) this.#lost()
    try {
      const connection = await this.#cluster.any()
      if (this.#stopping.signal.aborted) return
      if (connection !== this.#connection) {
        this.#lost()
        this.#connection = connection
        this.#counter.ConnectionCreatedCount++
      }
      this.#log.connected()
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      if (error instanceof ClientError && error.code === 'CLIENT_CLOSED') return
      this.#counter.ConnectionFailedCount++
      this.#log.failed(error as Error)
    }
  }

  #lost(): void {
    if (this.#connection === undefined) return
    this.#connection = undefined
    this.#counter.ConnectionClosedCount++
  }
}
