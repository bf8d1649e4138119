// A session as its holder sees it. The log decides when it expires; the holder must stop to rely on
// it before that. It is certain for as long as the log cannot have counted its timeout since the
// last entry of this member began to be appended, by the member's own monotonic clock.

import type { Clock } from '../../runtime/time/clock.ts'
import type { Session } from '../coordination.ts'
import type { Operation, OperationResult } from '../tree/operation.ts'

/**
 * Part of the timeout in which a session is not certain any more, for clocks that differ in speed,
 * and at least this much: the log may count one append twice, and the holder checks at intervals.
 */
const driftShare = 0.05
const minMarginMs = 500

export interface SessionActions {
  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]>
  close(): Promise<void>
}

export interface MemberSessionOptions {
  readonly id: string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly actions: SessionActions
  /** Whether others can append to the log: otherwise nobody else can end the session. */
  readonly isShared: () => boolean
}

export class MemberSession implements Session {
  readonly id: string
  readonly timeoutMs: number
  readonly ended: Promise<void>
  hasEnded = false
  /** Whether its holder has given it up: the log may have ended it already. */
  isClosing = false
  readonly #options: MemberSessionOptions
  readonly #listeners = new Set<(isCertain: boolean) => void>()
  #resolveEnded!: () => void
  /** On the monotonic clock. */
  #certainUntilMs = 0
  #reported = true

  constructor(options: MemberSessionOptions) {
    this.#options = options
    this.id = options.id
    this.timeoutMs = options.timeoutMs
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
  }

  get isCertain(): boolean {
    if (this.hasEnded || this.isClosing) return false
    if (!this.#options.isShared()) return true
    return this.#options.clock.monotonicMs() < this.#certainUntilMs
  }

  /** An entry of this member, whose first append began at `begunMs`, is in the log. */
  heard(begunMs: number): void {
    const marginMs = Math.max(minMarginMs, this.timeoutMs * driftShare)
    this.#certainUntilMs = Math.max(this.#certainUntilMs, begunMs + this.timeoutMs - marginMs)
    this.check()
  }

  /** Tells the listeners whether the session is certain, if that has changed. */
  check(): void {
    const { isCertain } = this
    if (isCertain === this.#reported) return
    this.#reported = isCertain
    for (const listener of [...this.#listeners]) listener(isCertain)
  }

  /** The log has ended the session. */
  end(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.check()
    this.#resolveEnded()
  }

  onCertain(listener: (isCertain: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    return this.#options.actions.transact(operations)
  }

  close(): Promise<void> {
    this.isClosing = true
    this.check()
    return this.#options.actions.close()
  }
}
