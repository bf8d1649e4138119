// A pending ask: the promise of an answer, its deadline, and the envelope that ties it to the
// message, so that the ask fails at once when the message is lost.

import { assert } from '../runtime/assert.ts'
import type { Clock, Timer } from '../runtime/time/clock.ts'
import type { ReplyTo } from './behavior.ts'
import { AskTimeoutError } from './failures.ts'

export class Ask<Reply> implements ReplyTo<Reply> {
  readonly promise: Promise<Reply>
  readonly #resolve: (value: Reply) => void
  readonly #reject: (error: Error) => void
  readonly #deadline: Timer

  constructor(clock: Clock, path: string, timeoutMs: number) {
    assert(timeoutMs >= 0, 'the deadline of an ask must not have passed')
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#deadline = clock.setTimer(timeoutMs, () => reject(new AskTimeoutError(path, timeoutMs)))
  }

  reply(value: Reply): void {
    this.#deadline.cancel()
    this.#resolve(value)
  }

  refuse(error: Error): void {
    this.#deadline.cancel()
    this.#reject(error)
  }
}

/** The envelope of the message of an ask in a mailbox; other messages have none. */
export class Asked<Message> {
  readonly message: Message
  readonly ask: Pick<Ask<never>, 'refuse'>

  constructor(message: Message, ask: Pick<Ask<never>, 'refuse'>) {
    this.message = message
    this.ask = ask
  }
}
