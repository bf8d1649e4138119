// One incarnation of an actor, the time between two restarts, and the context that its behavior
// sees. Owns the timers and the abort signal, which end with it. It must never touch the mailbox,
// which outlives it.

import { assert } from '../runtime/assert.ts'
import type { Clock, Timer } from '../runtime/time/clock.ts'
import type { ActorContext, ActorRef, Behavior, BehaviorFactory } from './behavior.ts'
import { ActorStoppedError } from './failures.ts'

/** The actor that an incarnation belongs to. */
export interface Owner<Message> {
  readonly self: ActorRef<Message>
  readonly clock: Clock
  /** A timer is due. */
  wake(): void
}

interface KeyedTimer<Message> {
  timer: Timer
  readonly message: Message
  /** Undefined for a timer that fires once. */
  readonly intervalMs: number | undefined
  /** The timer has fired and its message is not yet handled. */
  isDue: boolean
}

export class Incarnation<Message> implements ActorContext<Message> {
  readonly self: ActorRef<Message>
  readonly behavior: Behavior<Message>
  readonly #owner: Owner<Message>
  readonly #abort = new AbortController()
  readonly #timers = new Map<string, KeyedTimer<Message>>()
  /** Timers that have fired, oldest first; each at most once, so bounded by their keys. */
  readonly #due: KeyedTimer<Message>[] = []
  #hasEnded = false

  constructor(owner: Owner<Message>, factory: BehaviorFactory<Message>) {
    this.self = owner.self
    this.#owner = owner
    this.behavior = factory()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  setTimer(key: string, delayMs: number, message: Message): void {
    assert(delayMs >= 0, 'the delay of a timer must not be negative')
    this.#startTimer(key, delayMs, message, undefined)
  }

  setPeriodicTimer(key: string, intervalMs: number, message: Message): void {
    assert(intervalMs > 0, 'the interval of a timer must be positive')
    this.#startTimer(key, intervalMs, message, intervalMs)
  }

  /** Returns the oldest due timer and takes it off; its message is to be handled now. */
  nextDue(): { readonly message: Message } | undefined {
    const keyed = this.#due.shift()
    if (keyed) keyed.isDue = false
    return keyed
  }

  /** Asks a pending `receive` to return early. */
  abort(): void {
    this.#abort.abort()
  }

  end(): void {
    this.#hasEnded = true
    for (const { timer } of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    this.#due.length = 0
    this.abort()
  }

  #startTimer(
    key: string,
    delayMs: number,
    message: Message,
    intervalMs: number | undefined,
  ): void {
    if (this.#hasEnded) throw new ActorStoppedError(this.self.path)
    this.#cancelTimer(key)
    const { clock } = this.#owner
    const timer = clock.setTimer(delayMs, () => this.#fire(key, keyed))
    const keyed: KeyedTimer<Message> = { timer, message, intervalMs, isDue: false }
    this.#timers.set(key, keyed)
  }

  #cancelTimer(key: string): void {
    const keyed = this.#timers.get(key)
    if (keyed === undefined) return
    keyed.timer.cancel()
    this.#timers.delete(key)
    if (keyed.isDue) this.#due.splice(this.#due.indexOf(keyed), 1)
  }

  #fire(key: string, keyed: KeyedTimer<Message>): void {
    const { intervalMs } = keyed
    if (intervalMs !== undefined) {
      keyed.timer = this.#owner.clock.setTimer(intervalMs, () => this.#fire(key, keyed))
    }
    if (keyed.isDue) return
    keyed.isDue = true
    this.#due.push(keyed)
    this.#owner.wake()
  }
}
