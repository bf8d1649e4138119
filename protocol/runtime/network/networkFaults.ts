// Simulated faults of an in-memory network: latency, cut directions and lost connections. As with
// TCP, bytes are never dropped from the middle of a stream: bytes of a cut direction wait, bounded
// by the high-water marks of their writers, until the direction is healed or the connection ends.

import type { Clock } from '../time/clock.ts'
import type { Address } from './network.ts'
import { hostPort } from './networkErrors.ts'

/** Direction of bytes as seen from the listening address. */
export type Direction = 'in' | 'out'

interface Lossy {
  destroy(cause?: Error): void
  /** Called when the direction towards this side is healed. */
  wake(): void
}

export class NetworkFaults {
  readonly clock: Clock
  /** Latency of each delivery, in ms; bytes written meanwhile arrive with it, in order. */
  latencyMs = 0
  /** Cut directions, as `host:port direction`. */
  readonly #cuts = new Set<string>()
  readonly #connections = new Map<string, Set<Lossy>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Stops deliveries in one direction; new connections, which need both directions, time out. */
  cut(address: Address, direction: Direction): void {
    this.#cuts.add(`${hostPort(address)} ${direction}`)
  }

  /** Restores both directions; waiting bytes are delivered. */
  heal(address: Address): void {
    const place = hostPort(address)
    this.#cuts.delete(`${place} in`)
    this.#cuts.delete(`${place} out`)
    for (const connection of this.#connections.get(place) ?? []) connection.wake()
  }

  isCut(place: string, direction: Direction): boolean {
    return this.#cuts.has(`${place} ${direction}`)
  }

  /** Whether new connections to the address time out. */
  isUnreachable(place: string): boolean {
    return this.isCut(place, 'in') || this.isCut(place, 'out')
  }

  /**
   * Breaks the open connections to an address: both sides are closed, undelivered bytes are lost.
   */
  loseConnections(address: Address, cause?: Error): void {
    for (const connection of [...(this.#connections.get(hostPort(address)) ?? [])]) {
      connection.destroy(cause)
    }
  }

  /**
   * Registers one side of a connection. Called by the network; returns a function that unregisters
   * it.
   */
  opened(place: string, connection: Lossy): () => void {
    const open = this.#connections.get(place) ?? new Set()
    this.#connections.set(place, open.add(connection))
    return () => {
      open.delete(connection)
      if (open.size === 0 && this.#connections.get(place) === open) this.#connections.delete(place)
    }
  }
}
