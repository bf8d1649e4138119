// What is wrong with a network in memory, as its owner decides: latency, a direction that is cut, connections
// that are lost. Off by default. Nothing is dropped from inside a stream, as TCP drops nothing: bytes of a
// cut direction wait, bounded by their writers' high-water marks, until it is healed or the connection ends.

import type { Clock } from './clock.ts'
import type { Address } from './network.ts'
import { hostPort } from './networkErrors.ts'

/** Seen from the address that listens: what comes to it, and what it sends. */
export type Direction = 'in' | 'out'

interface Lossy {
  destroy(cause?: Error): void
  /** The direction into this side was healed. */
  wake(): void
}

export class NetworkFaults {
  readonly clock: Clock
  /** How long each delivery takes; what is written meanwhile arrives with it, in order. */
  latencyMs = 0
  /** Keys are an address and a direction. */
  readonly #cuts = new Set<string>()
  readonly #connections = new Map<string, Set<Lossy>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** From now on nothing arrives in this direction, and no new connection can be made: it needs both. */
  cut(address: Address, direction: Direction): void {
    this.#cuts.add(`${hostPort(address)} ${direction}`)
  }

  /** Both directions work again, and what was held back is delivered. */
  heal(address: Address): void {
    const place = hostPort(address)
    this.#cuts.delete(`${place} in`)
    this.#cuts.delete(`${place} out`)
    for (const connection of this.#connections.get(place) ?? []) connection.wake()
  }

  isCut(place: string, direction: Direction): boolean {
    return this.#cuts.has(`${place} ${direction}`)
  }

  /** Whether no connection to this place can be made now. */
  isUnreachable(place: string): boolean {
    return this.isCut(place, 'in') || this.isCut(place, 'out')
  }

  /** Breaks the open connections to an address: both sides are told, what was under way is lost. */
  loseConnections(address: Address, cause?: Error): void {
    for (const connection of [...(this.#connections.get(hostPort(address)) ?? [])]) {
      connection.destroy(cause)
    }
  }

  /** Called by the network for each side of a connection; returns what forgets it. */
  opened(place: string, connection: Lossy): () => void {
    const open = this.#connections.get(place) ?? new Set()
    this.#connections.set(place, open.add(connection))
    return () => {
      open.delete(connection)
      if (open.size === 0 && this.#connections.get(place) === open) this.#connections.delete(place)
    }
  }
}
