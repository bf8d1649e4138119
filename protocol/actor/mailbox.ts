// A bounded queue of messages, and behind it the bounded list of senders that wait for room. It
// never drops and never reorders: waiting senders are admitted in order, and no message is accepted
// ahead of a waiting one. It only keeps order and counts; the caller notifies the senders.

import { assert } from '../runtime/assert.ts'

const initialSlots = 16

export interface Waiting<Message, Sender> {
  readonly message: Message
  readonly sender: Sender
}

/** `Sender` is what the caller needs to notify a sender that its message was accepted. */
export class Mailbox<Message, Sender> {
  readonly #capacity: number
  readonly #maxWaiting: number
  /** A ring whose length is a power of two. */
  #slots: (Message | undefined)[] = new Array(initialSlots).fill(undefined)
  #head = 0
  #size = 0
  #closed = false
  readonly #waiting: Waiting<Message, Sender>[] = []

  /** At most `capacity` messages, and `maxWaiting` senders behind them. */
  constructor(capacity: number, maxWaiting: number) {
    assert(Number.isInteger(capacity) && capacity > 0, 'a mailbox needs a positive capacity')
    this.#capacity = capacity
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

  /** A closed mailbox accepts no message; those accepted and waiting can still be taken. */
  get isClosed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
  }

  /** Accepts the message if there is room and no sender waits. */
  offer(message: Message): boolean {
    if (this.#size >= this.#capacity || this.#waiting.length > 0 || this.#closed) return false
    this.#push(message)
    return true
  }

  /** Waits behind the full queue. Returns false, and keeps nothing, when too many wait already. */
  wait(message: Message, sender: Sender): boolean {
    assert(!this.#closed, 'a sender must not wait at a closed mailbox')
    if (this.#waiting.length >= this.#maxWaiting) return false
    this.#waiting.push({ message, sender })
    return true
  }

  /** Takes the oldest message; undefined when there is none. The caller then calls `admit`. */
  take(): Message | undefined {
    if (this.#size === 0) return undefined
    const message = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.#size--
    return message
  }

  /** Accepts the first waiting message if there is room; returns its sender, to be notified. */
  admit(): Sender | undefined {
    if (this.#size >= this.#capacity) return undefined
    const first = this.#waiting.shift()
    if (!first) return undefined
    this.#push(first.message)
    return first.sender
  }

  #push(message: Message): void {
    assert(this.#size < this.#capacity, 'a mailbox holds at most its capacity')
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
