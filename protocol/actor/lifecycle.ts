// The lifecycle of one actor, as a state machine: `next` says which step to run now, `begin` and
// `done` report its progress. It runs nothing itself. Invariant: one step at a time, so two
// incarnations of an actor never overlap and no message is handled while a hook runs.
//
//            ┌──────── release ────────┐
//   fresh ─ start ─> live ─ close ─> held ─ finish ─> stopped
//     └────────── (stopped before it started) ─ finish ──┘

import { assert } from '../runtime/assert.ts'

export type Phase = 'fresh' | 'live' | 'held' | 'stopped'

/**
 * `start`: create a behavior and run its `started`. `handle`: hand it a message. `close`: run
 * `stopping`. `finish`: the actor has stopped. `wait`: nothing to do before the next event.
 */
export type Step = 'wait' | 'start' | 'handle' | 'close' | 'finish'

export class Lifecycle {
  #phase: Phase = 'fresh'
  /** The step that has begun and is not done; 'wait' for none. */
  #current: Step = 'wait'
  #goal: 'run' | 'restart' | 'stop' = 'run'

  get phase(): Phase {
    return this.#phase
  }

  /** A step has begun and is not done. */
  get isBusy(): boolean {
    return this.#current !== 'wait'
  }

  /** The hook that closes an incarnation is running. */
  get isClosing(): boolean {
    return this.#current === 'close'
  }

  get isStopping(): boolean {
    return this.#goal === 'stop'
  }

  next(): Step {
    if (this.#current !== 'wait') return 'wait'
    switch (this.#phase) {
      case 'fresh':
        return this.#goal === 'stop' ? 'finish' : 'start'
      case 'live':
        return this.#goal === 'run' ? 'handle' : 'close'
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

  /** The current step has ended, successfully or not. */
  done(): void {
    switch (this.#current) {
      case 'start':
        this.#phase = 'live'
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

  /** Ends this incarnation, then holds until `release`. A stop, before or after, wins. */
  restart(): void {
    if (this.#goal === 'stop') return
    assert(this.#phase === 'live', `an actor that is ${this.#phase} has nothing to restart`)
    this.#goal = 'restart'
  }

  /** The pause before the next incarnation is over. */
  release(): void {
    if (this.#goal === 'stop') return
    assert(this.#phase === 'held', `an actor that is ${this.#phase} is not held`)
    this.#phase = 'fresh'
    this.#goal = 'run'
  }

  stop(): void {
    this.#goal = 'stop'
  }
}
