// Operational failures of actors, each with its code.

import { CodedError } from '../runtime/codedError.ts'

export class ActorStoppedError extends CodedError<'ACTOR_STOPPED'> {
  constructor(path: string) {
    super(
      'ACTOR_STOPPED',
      `${path} has stopped, or this incarnation of it has ended: look for its new reference`,
    )
  }
}

export class AskTimeoutError extends CodedError<'ASK_TIMEOUT'> {
  readonly path: string
  readonly timeoutMs: number
  constructor(path: string, timeoutMs: number) {
    super(
      'ASK_TIMEOUT',
      `${path} did not reply within ${timeoutMs} ms: it is overloaded, stuck or keeps no reply`,
    )
    this.path = path
    this.timeoutMs = timeoutMs
  }
}

/** The message of an ask was lost. Whether it took effect is unknown. */
export class MessageLostError extends CodedError<'MESSAGE_LOST'> {
  constructor(path: string, reason: string, cause?: unknown) {
    super(
      'MESSAGE_LOST',
      `${path} lost the message (${reason}): ask again once the actor is back`,
      cause,
    )
  }
}

export class MailboxOverrunError extends CodedError<'MAILBOX_OVERRUN'> {
  constructor(path: string, waiting: number) {
    super(
      'MAILBOX_OVERRUN',
      `${waiting} messages wait at the full mailbox of ${path}: its senders must await tell`,
    )
  }
}

/**
 * The failure of an actor, as its system's owner receives it. The failure itself is the `cause`.
 */
export class EscalatedError extends CodedError<'ESCALATED'> {
  constructor(path: string, cause: Error) {
    super('ESCALATED', `${path} failed and escalated: ${cause.message}`, cause)
  }
}

/** Returns what was thrown as an Error: a behavior may throw any value. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown })
}
