// The mailbox of an actor as its senders see it: promises around the bare queue, asks, and the
// reporting of lost messages. It outlives incarnations and knows nothing of behaviors.

import { assert } from '../runtime/assert.ts'
import type { Clock } from '../runtime/time/clock.ts'
import { Ask, Asked } from './ask.ts'
import type { ReplyTo } from './behavior.ts'
import type { DeadLetterReason } from './deadLetters.ts'
import type { Environment } from './environment.ts'
import { asError, MailboxOverrunError, MessageLostError } from './failures.ts'
import { Mailbox } from './mailbox.ts'

/** Limit on pending calls of `tell` at one mailbox: beyond it, a sender does not await them. */
const maxWaitingSenders = 16_384
/** Returned by `tell` when the sender need not wait: no promise is created per message. */
export const accepted: Promise<void> = Promise.resolve()

/** A message in a mailbox: bare, or with the ask that expects an answer. */
export type Entry<Message> = Message | Asked<Message>

export class Inbox<Message> {
  readonly #path: string
  readonly #environment: Environment
  readonly #mailbox: Mailbox<Entry<Message>, () => void>

  constructor(environment: Environment, path: string, capacity: number) {
    this.#environment = environment
    this.#path = path
    this.#mailbox = new Mailbox(capacity, maxWaitingSenders)
  }

  get isEmpty(): boolean {
    return this.#mailbox.isEmpty
  }

  /** Messages accepted and not yet taken. */
  get size(): number {
    return this.#mailbox.size
  }

  /** Returns whether the message was accepted: there is room, and the inbox is not closed. */
  offer(message: Message): boolean {
    return this.#mailbox.offer(message)
  }

  /** Waits for room for a message that `offer` has not accepted. A closed inbox loses it. */
  tellWaiting(entry: Entry<Message>): Promise<void> {
    if (this.#mailbox.isClosed) {
      this.lose(entry, 'stopped')
      return accepted
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    if (!this.#mailbox.wait(entry, resolve)) {
      return Promise.reject(new MailboxOverrunError(this.#path, this.#mailbox.waiting))
    }
    this.#environment.counters.waited()
    return promise
  }

  ask<Reply>(
    clock: Clock,
    make: (reply: ReplyTo<Reply>) => Message,
    timeoutMs: number,
  ): Promise<Reply> {
    const ask = new Ask<Reply>(clock, this.#path, timeoutMs)
    try {
      const asked = new Asked(make(ask), ask)
      if (!this.#mailbox.offer(asked)) {
        this.tellWaiting(asked).catch((error: Error) => ask.refuse(error))
      }
    } catch (thrown) {
      ask.refuse(asError(thrown))
    }
    return ask.promise
  }

  /** Takes the oldest message, and admits the sender that has waited longest. Must not be empty. */
  take(): Entry<Message> {
    assert(!this.#mailbox.isEmpty, 'took a message from an empty mailbox')
    const entry = this.#mailbox.take() as Entry<Message>
    if (this.#mailbox.waiting > 0) this.#mailbox.admit()?.()
    return entry
  }

  /** Closes the inbox: its messages become dead letters, and no sender waits any longer. */
  drop(): void {
    this.#mailbox.close()
    while (!this.isEmpty) this.lose(this.take(), 'dropped')
  }

  /** Reports a message that will not be handled to its end. */
  lose(entry: Entry<Message>, reason: DeadLetterReason, cause?: Error): void {
    const { deadLetters } = this.#environment
    const isAsked = entry instanceof Asked
    deadLetters.report(this.#path, isAsked ? entry.message : entry, reason)
    if (isAsked) entry.ask.refuse(new MessageLostError(this.#path, reason, cause))
  }
}
