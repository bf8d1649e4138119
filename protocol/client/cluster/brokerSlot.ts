// The connection to one broker in one lane: opened lazily, shared by all callers, and reopened
// after it breaks, with backoff. Invariant: at most one connection is open at a time.

import type { Address } from '../../runtime/network/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/time/clock.ts'
import type { Backoff } from '../backoff.ts'
import { ClientError } from '../clientError.ts'
import { type ConnectionOptions, KafkaConnection } from './connection.ts'

export class BrokerSlot {
  readonly lane: string
  /** Earliest time of the next connection attempt, on the monotonic clock, in ms. */
  notBeforeMs = 0
  readonly #runtime: Pick<Runtime, 'clock' | 'network'>
  readonly #address: Address
  readonly #options: ConnectionOptions
  readonly #backoff: Backoff
  readonly #closing: AbortSignal
  #current: KafkaConnection | undefined
  #opening: Promise<KafkaConnection> | undefined
  #closed = false

  constructor(
    runtime: Pick<Runtime, 'clock' | 'network'>,
    address: Address,
    lane: string,
    options: ConnectionOptions,
    backoff: Backoff,
    closing: AbortSignal,
  ) {
    this.#runtime = runtime
    this.#address = address
    this.lane = lane
    this.#options = options
    this.#backoff = backoff
    this.#closing = closing
  }

  /** The connection; undefined when none is open. */
  get open(): KafkaConnection | undefined {
    return this.#current?.isOpen ? this.#current : undefined
  }

  /** Returns the open connection, or opens one. Fails as KafkaConnection.connect does. */
  async connection(): Promise<KafkaConnection> {
    if (this.open !== undefined) return this.open
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return await this.#opening
  }

  close(): void {
    this.#closed = true
    this.#current?.close()
  }

  async #open(): Promise<KafkaConnection> {
    const { clock } = this.#runtime
    const waitMs = this.notBeforeMs - clock.monotonicMs()
    if (waitMs > 0) await sleep(clock, waitMs, this.#closing)
    this.#assertOpen()
    try {
      const connection = await KafkaConnection.connect(this.#runtime, this.#address, this.#options)
      this.#current = connection
      if (this.#closed) connection.close()
      this.#assertOpen()
      this.#backoff.succeeded()
      return connection
    } catch (error) {
      this.notBeforeMs = clock.monotonicMs() + this.#backoff.failed()
      throw error
    }
  }

  #assertOpen(): void {
    if (this.#closed || this.#closing.aborted) {
      throw new ClientError('CLIENT_CLOSED', 'this client was closed')
    }
  }
}
