// What one member of a log listens to: its subscriptions, which end when the member closes the log,
// and the claims of other members.

import type { LogPosition } from './coordinationLog.ts'

export class MemberListeners {
  readonly #endings = new Set<() => void>()
  readonly #claims = new Set<(position: LogPosition) => void>()

  /** Adds a subscription by the function that ends it; returns one that also forgets it. */
  subscribed(end: () => void): () => void {
    this.#endings.add(end)
    return () => {
      this.#endings.delete(end)
      end()
    }
  }

  /** Returns a function that removes the listener. */
  onClaim(listener: (position: LogPosition) => void): () => void {
    this.#claims.add(listener)
    return () => void this.#claims.delete(listener)
  }

  /** Another member has claimed this position. */
  claimed(position: LogPosition): void {
    for (const listener of [...this.#claims]) listener(position)
  }

  /** Ends all subscriptions; no claim is delivered any more. */
  close(): void {
    for (const end of this.#endings) end()
    this.#endings.clear()
    this.#claims.clear()
  }
}
