// What an actor is to its author (Behavior, ActorContext) and to its senders (ActorRef). Types
// only: cell.ts and incarnation.ts run them.

import type { Supervision } from './supervision.ts'

/**
 * One incarnation of an actor: created by its factory at the start and after each restart. Its
 * functions never run concurrently: the next message is handled after the promise of the previous
 * one has settled. A throw or a rejection is a failure of the actor, and its supervision decides.
 */
export interface Behavior<Message> {
  receive(message: Message, context: ActorContext<Message>): void | Promise<void>
  /** Runs before the first message. The place to open resources. */
  started?(context: ActorContext<Message>): void | Promise<void>
  /**
   * Runs once at the end of every incarnation, also of one that failed or whose `started` failed.
   * The place to close resources. A failure here is only logged.
   */
  stopping?(context: ActorContext<Message>): void | Promise<void>
}

export type BehaviorFactory<Message> = () => Behavior<Message>

/** Why an actor stopped and is not restarted. */
export type StopReason =
  /** `ActorSystem.stop` or `shutdown` was called. */
  | 'stopped'
  /** The actor failed and the verdict was to stop. */
  | 'failed'
  /** The actor failed more often than its supervision allows. */
  | 'restartLimit'
  /** The actor failed and the failure went to the owner of the system. */
  | 'escalated'

export interface Terminated {
  readonly reason: StopReason
  /** The failure; undefined when the actor was stopped from outside. */
  readonly error: Error | undefined
}

export interface ActorRef<Message> {
  /** `/name`, unique among living actors. */
  readonly path: string
  /**
   * Resolves when the mailbox has accepted the message: at once while it has room, else after the
   * messages before it were handled. Senders must await it, or backpressure does not reach them.
   * Messages of one sender are accepted in the order of its calls, awaited or not. A message to a
   * stopped actor is a dead letter and resolves. Rejects with MailboxOverrunError when too many
   * calls wait.
   *
   * Backpressure must run one way: two actors that await each other's full mailboxes wait forever,
   * and so does one that awaits its own. Against the stream use `tryTell`.
   */
  tell(message: Message): Promise<void>
  /**
   * Sends as `tell` does, but returns false in place of waiting, and when the actor has stopped:
   * then the message was not kept.
   */
  tryTell(message: Message): boolean
  /**
   * Sends a message that carries where to reply. Rejects with AskTimeoutError after `timeoutMs`,
   * and earlier with MessageLostError when the message is lost in a crash or with the mailbox. An
   * ask waits in the mailbox while its actor is restarted.
   */
  ask<Reply>(make: (reply: ReplyTo<Reply>) => Message, timeoutMs: number): Promise<Reply>
}

/** Where an ask expects its answer. The first answer counts, later ones are ignored. */
export interface ReplyTo<Reply> {
  reply(value: Reply): void
  /** Answers with a failure: the ask rejects with it. */
  refuse(error: Error): void
}

export interface SpawnOptions {
  /** Messages accepted before senders wait. Default: 1024. */
  readonly mailboxCapacity?: number
  /** What follows a failure. Default: `restart()`. */
  readonly supervision?: Supervision
}

/**
 * What an incarnation may use. It ends with the incarnation: timers are cancelled, and the next
 * incarnation inherits nothing but the mailbox. After that (in a promise that outlived the
 * incarnation) its functions throw ActorStoppedError.
 */
export interface ActorContext<Message> {
  readonly self: ActorRef<Message>
  /** Aborts when this incarnation should end, so that a pending `receive` can return early. */
  readonly signal: AbortSignal

  /**
   * Hands `message` to `receive` after `delayMs`, ahead of the mailbox and without needing room
   * there. Replaces the timer with the same key.
   */
  setTimer(key: string, delayMs: number, message: Message): void
  /** Repeats `message` every `intervalMs`; skips a beat while the last one is not yet handled. */
  setPeriodicTimer(key: string, intervalMs: number, message: Message): void
}
