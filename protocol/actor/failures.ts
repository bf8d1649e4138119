// Everything that can go wrong with actors and is nobody's broken invariant, each with its code.

export class ActorStoppedError extends Error {
  readonly code = 'ACTOR_STOPPED'
  constructor(path: string) {
    super(`${path} has stopped, or this incarnation of it has ended: look for its new reference`)
  }
}

export class AskTimeoutError extends Error {
  readonly code = 'ASK_TIMEOUT'
  readonly path: string
  readonly timeoutMs: number
  constructor(path: string, timeoutMs: number) {
    super(`${path} did not reply within ${timeoutMs} ms: it is overloaded, stuck or keeps no reply`)
    this.path = path
    this.timeoutMs = timeoutMs
  }
}

/** The message of an ask will not be handled to its end. Whether it took effect is not known. */
export class MessageLostError extends Error {
  readonly code = 'MESSAGE_LOST'
  constructor(path: string, reason: string, cause?: unknown) {
    super(`${path} lost the message (${reason}): ask again once the actor is back`, { cause })
  }
}

export class MailboxOverrunError extends Error {
  readonly code = 'MAILBOX_OVERRUN'
  constructor(path: string, waiting: number) {
    super(`${waiting} messages wait at the full mailbox of ${path}: its senders must await tell`)
  }
}

/** A child's failure, as its parent meets it. The failure itself is the `cause`. */
export class EscalatedError extends Error {
  readonly code = 'ESCALATED'
  constructor(path: string, cause: Error) {
    super(`${path} failed and escalated: ${cause.message}`, { cause })
  }
}

export class StopTimeoutError extends Error {
  readonly code = 'STOP_TIMEOUT'
  readonly paths: readonly string[]
  constructor(timeoutMs: number, paths: readonly string[]) {
    super(`after ${timeoutMs} ms these actors have not stopped: ${paths.join(', ')}`)
    this.paths = paths
  }
}

/** What was thrown, as an Error: a behaviour may throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown })
}
