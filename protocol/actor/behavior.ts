// What an actor is to those who write one (Behavior, ActorContext) and to those who send to it
// (ActorRef). Types only: cell.ts and incarnation.ts run them.

import type { Clock } from '../runtime/clock.ts'
import type { StopMailbox } from './lifecycle.ts'
import type { Supervision } from './supervision.ts'

/**
 * One incarnation of an actor: made anew by its factory at the start and after each restart. Its
 * functions never run at the same time: the next message waits until the promise of the last one has
 * settled. A throw or a rejection is a failure of the actor, and its supervision decides.
 */
export interface Behavior<Message> {
  receive(message: Message, context: ActorContext<Message>): void | Promise<void>
  /** Runs before the first message. The place to open things and to spawn children. */
  started?(context: ActorContext<Message>): void | Promise<void>
  /**
   * Runs once at the end of every incarnation, also of one that failed or whose `started` failed;
   * its children have stopped. The place to close things. A failure here is only logged.
   */
  stopping?(context: ActorContext<Message>): void | Promise<void>
  /** An actor that was watched has stopped. */
  onTerminated?(terminated: Terminated, context: ActorContext<Message>): void | Promise<void>
}

export type BehaviorFactory<Message> = () => Behavior<Message>

/** Why an actor stopped for good. */
export type StopReason =
  /** Somebody asked for it, or its parent stopped or was restarted. */
  | 'stopped'
  /** It failed and its strategy is to stop. */
  | 'failed'
  /** It failed more often than its strategy allows. */
  | 'restartLimit'
  /** It failed, and that became its parent's failure. */
  | 'escalated'

export interface Terminated {
  readonly ref: ActorRef<never>
  readonly reason: StopReason
  /** The failure; undefined when the actor was asked to stop. */
  readonly error: Error | undefined
}

export interface ActorRef<Message> {
  /** `/parent/name`, unique among living actors. */
  readonly path: string
  /**
   * Resolves when the mailbox has accepted the message: at once while it has room, else when the
   * messages before it have been handled. Await it, or pressure does not travel upstream. Messages
   * of one sender are accepted in the order of its calls, awaited or not. A message to a stopped
   * actor is a dead letter and resolves. Rejects with MailboxOverrunError when too many calls wait.
   *
   * Pressure must run one way: two actors that await each other's full mailboxes wait forever, and
   * so does one that awaits its own. Against the stream use `tryTell`.
   */
  tell(message: Message): Promise<void>
  /** As `tell`, but false in place of waiting, and when the actor has stopped: then nothing was kept. */
  tryTell(message: Message): boolean
  /**
   * Sends a message that carries where to reply. Rejects with AskTimeoutError after `timeoutMs`, and
   * sooner with MessageLostError when the message is lost in a crash or with a mailbox.
   */
  ask<Reply>(make: (reply: ReplyTo<Reply>) => Message, timeoutMs: number): Promise<Reply>
}

/** Where an ask wants its answer. The first answer counts, later ones do nothing. */
export interface ReplyTo<Reply> {
  reply(value: Reply): void
  /** Answers with a failure: the ask rejects with it. */
  refuse(error: Error): void
}

export interface SpawnOptions {
  /** Messages accepted before senders wait; 1024 unless told. */
  readonly mailboxCapacity?: number
  /** What becomes of the new actor when it fails; `restart()` with its defaults unless told. */
  readonly supervision?: Supervision
}

export interface StopOptions {
  /**
   * `drop` (the default): what is in the mailbox becomes dead letters. `drain`: what was sent before
   * is handled first (timers no longer fire); a failure meanwhile ends the drain.
   */
  readonly mailbox?: StopMailbox
}

/**
 * What an incarnation has. It ends with it: timers are cancelled, watches forgotten, children
 * stopped; the next incarnation starts from nothing but the mailbox. Used after its end (by a promise
 * that outlived it) its functions throw ActorStoppedError.
 */
export interface ActorContext<Message> {
  readonly self: ActorRef<Message>
  readonly clock: Clock
  /** Aborts when this incarnation is to end, so that a `receive` that waits can give up early. */
  readonly signal: AbortSignal

  /** Names are unique among living siblings and contain no slash. */
  spawn<Child>(
    name: string,
    factory: BehaviorFactory<Child>,
    options?: SpawnOptions,
  ): ActorRef<Child>
  /** Stops a child; resolves when it and its own children are gone. */
  stopChild(child: ActorRef<never>, options?: StopOptions): Promise<void>
  /** Stops this actor when the current message is handled. */
  stop(options?: StopOptions): void

  /** Calls `onTerminated` once when that actor has stopped; at once if it has already. */
  watch(actor: ActorRef<never>): void
  unwatch(actor: ActorRef<never>): void

  /**
   * Hands `message` to `receive` after `delayMs`, before what is in the mailbox and without waiting
   * for room there. A timer with the same key is replaced.
   */
  setTimer(key: string, delayMs: number, message: Message): void
  /** The same again and again; while one message is not yet handled, no further one is made. */
  setPeriodicTimer(key: string, intervalMs: number, message: Message): void
  cancelTimer(key: string): void
}
