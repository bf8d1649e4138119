// A bounded queue of messages, and behind it the senders that wait for room. It never drops and never
// overtakes: who waits is admitted in order, and nobody is accepted past someone who waits. It only
// keeps order and counts; telling a sender that it was admitted is the caller's part.

import { assert } from '../runtime/assert.ts'

const initialSlots = 16

export interface Waiting<Message, Sender> {
  readonly message: Message
  readonly sender: Sender
}

/** `Sender` is whatever the caller needs to tell a waiting sender that its message was accepted. */
export class Mailbox<Message, Sender> {
  readonly #capacity: number
  readonly #maxWaiting: number
  /** A ring whose length is a power of two. */
  #slots: (Message | undefined)[] = new Array(initialSlots).fill(undefined)
  #head = 0
  #size = 0
  /** How many messages are accepted before senders wait: `capacity`, except while overdrawn. */
  #limit: number
  #closed = false
  readonly #waiting: Waiting<Message, Sender>[] = []

  /** At most `capacity` messages, and `maxWaiting` senders behind them. */
  constructor(capacity: number, maxWaiting: number) {
    assert(capacity > 0, 'the capacity of a mailbox must be positive')
    this.#capacity = capacity
    this.#limit = capacity
    this.#maxWaiting = maxWaiting
  }

  get size(): number {
    return this.#size
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get isEmpty(): boolean {
    return this.#size === 0
  }

  /** A closed mailbox accepts nothing more; what it holds and who waits can still be taken. */
  get isClosed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
  }

  /** Accepts the message if there is room and nobody waits before it. */
  offer(message: Message): boolean {
    if (this.#size >= this.#limit || this.#waiting.length > 0 || this.#closed) return false
    this.#push(message)
    return true
  }

  /** Lines up behind the full queue. False when too many wait already: then nothing was kept. */
  wait(message: Message, sender: Sender): boolean {
    assert(!this.#closed, 'nobody may wait at a closed mailbox')
    if (this.#waiting.length >= this.#maxWaiting) return false
    this.#waiting.push({ message, sender })
    return true
  }

  /** The oldest message; undefined when there is none. After it, call `admit`. */
  take(): Message | undefined {
    if (this.#size === 0) return undefined
    const message = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.#size--
    return message
  }

  /** Accepts the first waiting message if there is room now; returns whom to tell. */
  admit(): Sender | undefined {
    if (this.#size >= this.#limit) return undefined
    const first = this.#waiting.shift()
    if (!first) return undefined
    this.#push(first.message)
    return first.sender
  }

  /**
   * While overdrawn, `maxWaiting` messages more are accepted at once. An actor that waits for its
   * children to stop must not let them wait for it.
   */
  overdraw(allowed: boolean): void {
    this.#limit = allowed ? this.#capacity + this.#maxWaiting : this.#capacity
  }

  #push(message: Message): void {
    if (this.#size === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = message
    this.#size++
  }

  #grow(): void {
    const { length } = this.#slots
    const slots = new Array<Message | undefined>(length * 2).fill(undefined)
    for (let at = 0; at < length; at++) slots[at] = this.#slots[(this.#head + at) & (length - 1)]
    this.#slots = slots
    this.#head = 0
  }
}
