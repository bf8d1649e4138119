// One life of an actor between two restarts, and the context its behaviour sees: timers, watches and
// the abort signal are kept here and die here. It never touches the mailbox, which outlives it.

import { assert } from '../runtime/assert.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type {
  ActorContext,
  ActorRef,
  Behavior,
  BehaviorFactory,
  SpawnOptions,
  StopOptions,
  Terminated,
} from './behavior.ts'
import { ActorStoppedError } from './failures.ts'

/** Hears of the end of an actor. */
export interface Watcher {
  terminated(terminated: Terminated): void
}

/** What an incarnation needs of the actor that it is a life of. */
export interface Owner<Message> {
  readonly self: ActorRef<Message>
  readonly clock: Clock
  spawn<Child>(
    name: string,
    factory: BehaviorFactory<Child>,
    options: SpawnOptions,
  ): ActorRef<Child>
  stopChild(child: ActorRef<never>, options: StopOptions): Promise<void>
  stopSelf(options: StopOptions): void
  watch(actor: ActorRef<never>, watcher: Watcher): void
  unwatch(actor: ActorRef<never>, watcher: Watcher): void
  /** There is news for `nextNews` to hand out. */
  wake(): void
}

/** What an incarnation hears outside its mailbox. */
export type News<Message> =
  | { readonly kind: 'timer'; readonly message: Message }
  | { readonly kind: 'terminated'; readonly terminated: Terminated }

interface KeyedTimer<Message> {
  timer: Timer
  readonly message: Message
  /** Undefined for a timer that fires once. */
  readonly intervalMs: number | undefined
  /** It has fired and the message is not yet handled. */
  isDue: boolean
}

export class Incarnation<Message> implements ActorContext<Message>, Watcher {
  readonly self: ActorRef<Message>
  readonly clock: Clock
  readonly behavior: Behavior<Message>
  readonly #owner: Owner<Message>
  readonly #abort = new AbortController()
  readonly #timers = new Map<string, KeyedTimer<Message>>()
  readonly #watched = new Set<ActorRef<never>>()
  /** In the order in which they happened: keys of due timers, and ends of watched actors. */
  readonly #news: (string | Terminated)[] = []
  #isSilent = false
  #hasEnded = false

  constructor(owner: Owner<Message>, factory: BehaviorFactory<Message>) {
    this.self = owner.self
    this.clock = owner.clock
    this.#owner = owner
    this.behavior = factory()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  spawn<Child>(
    name: string,
    factory: BehaviorFactory<Child>,
    options: SpawnOptions = {},
  ): ActorRef<Child> {
    this.#requireLife()
    return this.#owner.spawn(name, factory, options)
  }

  stopChild(child: ActorRef<never>, options: StopOptions = {}): Promise<void> {
    this.#requireLife()
    return this.#owner.stopChild(child, options)
  }

  stop(options: StopOptions = {}): void {
    this.#requireLife()
    this.#owner.stopSelf(options)
  }

  watch(actor: ActorRef<never>): void {
    this.#requireLife()
    assert(this.behavior.onTerminated, `${this.self.path} watches but has no onTerminated`)
    if (this.#watched.has(actor)) return
    this.#watched.add(actor)
    this.#owner.watch(actor, this)
  }

  unwatch(actor: ActorRef<never>): void {
    this.#watched.delete(actor)
    this.#owner.unwatch(actor, this)
  }

  terminated(terminated: Terminated): void {
    if (this.#isSilent || !this.#watched.has(terminated.ref)) return
    this.#news.push(terminated)
    this.#owner.wake()
  }

  setTimer(key: string, delayMs: number, message: Message): void {
    this.#startTimer(key, delayMs, message, undefined)
  }

  setPeriodicTimer(key: string, intervalMs: number, message: Message): void {
    assert(intervalMs > 0, 'the interval of a timer must be positive')
    this.#startTimer(key, intervalMs, message, intervalMs)
  }

  cancelTimer(key: string): void {
    this.#timers.get(key)?.timer.cancel()
    this.#timers.delete(key)
  }

  get hasNews(): boolean {
    return this.#news.length > 0
  }

  /** The oldest news that still counts: not of a cancelled timer, nor of an actor unwatched since. */
  nextNews(): News<Message> | undefined {
    for (;;) {
      const item = this.#news.shift()
      if (item === undefined) return undefined
      if (typeof item === 'string') {
        const keyed = this.#timers.get(item)
        if (!keyed?.isDue) continue
        keyed.isDue = false
        if (keyed.intervalMs === undefined) this.#timers.delete(item)
        return { kind: 'timer', message: keyed.message }
      }
      if (this.#watched.delete(item.ref)) return { kind: 'terminated', terminated: item }
    }
  }

  /** No more news: the actor only drains its mailbox. */
  silence(): void {
    this.#isSilent = true
    for (const { timer } of this.#timers.values()) timer.cancel()
    for (const actor of this.#watched) this.#owner.unwatch(actor, this)
    this.#timers.clear()
    this.#watched.clear()
    this.#news.length = 0
  }

  /** Asks a running `receive` to give up. */
  abort(): void {
    this.#abort.abort()
  }

  end(): void {
    this.#hasEnded = true
    this.silence()
    this.abort()
  }

  #startTimer(
    key: string,
    delayMs: number,
    message: Message,
    intervalMs: number | undefined,
  ): void {
    this.#requireLife()
    if (this.#isSilent) return
    this.cancelTimer(key)
    const fire = () => this.#fire(key, keyed)
    const timer = this.clock.setTimer(delayMs, fire)
    const keyed: KeyedTimer<Message> = { timer, message, intervalMs, isDue: false }
    this.#timers.set(key, keyed)
  }

  #fire(key: string, keyed: KeyedTimer<Message>): void {
    if (keyed.intervalMs !== undefined) {
      keyed.timer = this.clock.setTimer(keyed.intervalMs, () => this.#fire(key, keyed))
    }
    if (keyed.isDue) return
    keyed.isDue = true
    this.#news.push(key)
    this.#owner.wake()
  }

  #requireLife(): void {
    if (this.#hasEnded) throw new ActorStoppedError(this.self.path)
  }
}
