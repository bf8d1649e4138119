// The mailbox of an actor as its senders meet it: promises around the bare queue, asks, and the
// reporting of what is lost. It outlives incarnations. It knows nothing of behaviours.

import type { Clock } from '../runtime/clock.ts'
import { Ask, Asked } from './ask.ts'
import type { ReplyTo } from './behavior.ts'
import type { DeadLetterReason } from './deadLetters.ts'
import { asError, MailboxOverrunError, MessageLostError } from './failures.ts'
import type { Household } from './household.ts'
import { Mailbox } from './mailbox.ts'

/** Calls of `tell` that may wait at one mailbox: more are a sender that does not await. */
const maxWaitingSenders = 16_384
/** What `tell` returns when nobody has to wait: no promise is made per message. */
export const accepted: Promise<void> = Promise.resolve()

/** A message as it travels: bare, or with the ask that wants an answer to it. */
export type Entry<Message> = Message | Asked<Message>

export class Inbox<Message> {
  readonly #path: string
  readonly #household: Household
  readonly #mailbox: Mailbox<Entry<Message>, () => void>
  /** What failed and is to be handled again before all others; boxed, as a message may be undefined. */
  #retained: { readonly entry: Entry<Message> } | undefined

  constructor(household: Household, path: string, capacity: number) {
    this.#household = household
    this.#path = path
    this.#mailbox = new Mailbox(capacity, maxWaitingSenders)
  }

  get isEmpty(): boolean {
    return this.#mailbox.isEmpty && this.#retained === undefined
  }

  /** Messages accepted and not yet taken. */
  get size(): number {
    return this.#mailbox.size
  }

  /** True when the message was accepted; false when there is no room, or never will be. */
  offer(message: Message): boolean {
    return this.#mailbox.offer(message)
  }

  /** For a message that was not accepted at once: waits for room. A closed inbox loses it. */
  tellWaiting(entry: Entry<Message>): Promise<void> {
    if (this.#mailbox.isClosed) {
      this.lose(entry, 'stopped')
      return accepted
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    if (!this.#mailbox.wait(entry, resolve)) {
      return Promise.reject(new MailboxOverrunError(this.#path, this.#mailbox.waiting))
    }
    this.#household.figures.waited()
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

  /** The next message; only when there is one. Its place goes to the sender who has waited longest. */
  take(): Entry<Message> {
    if (this.#retained !== undefined) {
      const { entry } = this.#retained
      this.#retained = undefined
      return entry
    }
    const entry = this.#mailbox.take() as Entry<Message>
    if (this.#mailbox.waiting > 0) this.#mailbox.admit()?.()
    return entry
  }

  /** Keeps a message whose handling failed, to be the next one taken. */
  retain(entry: Entry<Message>): void {
    this.#retained = { entry }
  }

  /** Nothing more is accepted; what is here can still be taken. */
  close(): void {
    this.#mailbox.close()
  }

  /**
   * While an actor waits for its children to stop, they must not wait for it: what they send is
   * accepted beyond the capacity (as many messages as might wait), until `endOverdraft`.
   */
  overdraw(): void {
    this.#mailbox.overdraw(true)
    for (let admit = this.#mailbox.admit(); admit; admit = this.#mailbox.admit()) admit()
  }

  endOverdraft(): void {
    this.#mailbox.overdraw(false)
  }

  /** All that is here becomes dead letters, and nobody waits any longer. */
  drop(): void {
    while (!this.isEmpty) this.lose(this.take(), 'dropped')
  }

  /** Reports a message that will not be handled to its end. */
  lose(entry: Entry<Message>, reason: DeadLetterReason, cause?: Error): void {
    const { deadLetters } = this.#household
    const isAsked = entry instanceof Asked
    deadLetters.report(this.#path, isAsked ? entry.message : entry, reason)
    if (isAsked) entry.ask.refuse(new MessageLostError(this.#path, reason, cause))
  }
}
