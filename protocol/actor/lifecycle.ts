// The life of one actor, as a state machine: asked for the next step, it says what is to be done now,
// and hears when that is done. It runs nothing itself. One step at a time, so two incarnations of an
// actor never overlap and no message is handled while a hook runs.
//
//            ┌────────────────────── release ───────────────────────┐
//   fresh ─ start ─> live ─ stopChildren ─> childless ─ close ─> held ─ finish ─> stopped
//     └──────────────────────── (stop before it ever started) ─ finish ───────────┘

import { assert } from '../runtime/assert.ts'

export type Phase = 'fresh' | 'live' | 'childless' | 'held' | 'stopped'

/**
 * `start`: make a behaviour and run its `started`. `handle`: give it a message. `stopChildren`: stop
 * them, last spawned first. `close`: run `stopping`. `finish`: the actor is gone, tell its watchers.
 * `wait`: nothing to do before the next event.
 */
export type Step = 'wait' | 'start' | 'handle' | 'stopChildren' | 'close' | 'finish'

/** What happens to messages in the mailbox of an actor that stops. */
export type StopMailbox = 'drain' | 'drop'

export class Lifecycle {
  #phase: Phase = 'fresh'
  /** The step begun and not yet done; 'wait' when none is. */
  #current: Step = 'wait'
  #goal: 'run' | 'restart' | 'stop' = 'run'
  #draining = false

  get phase(): Phase {
    return this.#phase
  }

  /** A step has begun and is not done. */
  get isBusy(): boolean {
    return this.#current !== 'wait'
  }

  get isStopping(): boolean {
    return this.#goal === 'stop'
  }

  /** The incarnation that lives now ends, and another follows. */
  get isRestarting(): boolean {
    return this.#goal === 'restart'
  }

  /** The mailbox is handled to its end before the actor stops. */
  get isDraining(): boolean {
    return this.#goal === 'stop' && this.#draining
  }

  next(mailboxIsEmpty: boolean): Step {
    if (this.#current !== 'wait') return 'wait'
    switch (this.#phase) {
      case 'live':
        if (this.#goal === 'run') return 'handle'
        return this.isDraining && !mailboxIsEmpty ? 'handle' : 'stopChildren'
      case 'fresh':
        if (this.#goal !== 'stop') return 'start'
        return this.#draining && !mailboxIsEmpty ? 'start' : 'finish'
      case 'childless':
        return 'close'
      case 'held':
        return this.#goal === 'stop' ? 'finish' : 'wait'
      case 'stopped':
        return 'wait'
    }
  }

  begin(step: Step): void {
    assert(this.#current === 'wait', `${step} while ${this.#current} is not done`)
    this.#current = step
  }

  /** The current step has come to its end, well or not. */
  done(): void {
    switch (this.#current) {
      case 'start':
        this.#phase = 'live'
        break
      case 'stopChildren':
        this.#phase = 'childless'
        break
      case 'close':
        this.#phase = 'held'
        break
      case 'finish':
        this.#phase = 'stopped'
        break
    }
    this.#current = 'wait'
  }

  /** A failure ends a drain: the state that would handle the rest can no longer be trusted. */
  failed(): void {
    this.#draining = false
  }

  /** End this incarnation, then hold until `release`. A stop asked for before or after wins. */
  restart(): void {
    if (this.#goal !== 'run') return
    this.#goal = 'restart'
    if (this.#phase === 'fresh' && !this.isBusy) this.#phase = 'held'
  }

  /** All that had to end before a new incarnation has ended. */
  release(): void {
    if (this.#phase !== 'held' || this.#goal === 'stop') return
    this.#phase = 'fresh'
    this.#goal = 'run'
  }

  /** Asked twice, dropping wins over draining. An incarnation that ends anyway drains nothing. */
  stop(mailbox: StopMailbox): void {
    if (mailbox === 'drop') this.#draining = false
    else if (this.#goal === 'run') this.#draining = true
    this.#goal = 'stop'
  }
}
