// The actor system, the public face of this folder: long-lived parts of a program, each with one
// bounded mailbox, its own failure handling, and a place in a tree that stops in order.
//
// What is promised:
//   - messages of one sender are handled in the order sent, none twice (unless retried on request);
//   - a full mailbox makes senders wait and never drops;
//   - a crash loses the message being handled (or, on request, retries it) and no other;
//   - what is lost, there or because an actor stopped, is reported as a dead letter.
//
// Nothing here reads the machine's clock or its randomness: the same code runs in the simulator.

import { assert } from '../runtime/assert.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { Scheduler } from '../runtime/scheduler.ts'
import { type Logger, silentLogger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { actorMetrics } from './actorMetrics.ts'
import type {
  ActorRef,
  BehaviorFactory,
  SpawnOptions,
  StopOptions,
  Terminated,
} from './behavior.ts'
import { cellOf, spawn } from './cell.ts'
import { type DeadLetterHook, DeadLetters } from './deadLetters.ts'
import { Dispatcher } from './dispatcher.ts'
import { type EscalatedError, StopTimeoutError } from './failures.ts'
import { type Child, descendants, type Parent, stopChildren } from './family.ts'
import { ActorFigures, type Household } from './household.ts'

export type {
  ActorContext,
  ActorRef,
  Behavior,
  BehaviorFactory,
  ReplyTo,
  SpawnOptions,
  StopOptions,
  StopReason,
  Terminated,
} from './behavior.ts'

export interface ActorSystemOptions {
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly metrics?: Metrics
  readonly logger?: Logger
  /** Tells systems in one registry apart. */
  readonly name?: string
  /**
   * An actor at the top failed and escalated, or any actor met a broken invariant (AssertionError),
   * which no strategy may restart. Unless given, the error is thrown from a microtask, which ends
   * the process: going on without that actor would only look like working.
   */
  readonly onEscalate?: (error: EscalatedError) => void
  /** Must not throw. */
  readonly onDeadLetter?: DeadLetterHook
}

export interface ShutdownOptions extends StopOptions {
  /** Rejects with StopTimeoutError, which names who has not stopped; waits forever unless given. */
  readonly timeoutMs?: number
}

export class ActorSystem {
  readonly #household: Household
  readonly #root: Parent
  readonly #forgetMetrics: () => void
  #shutdown: Promise<void> | undefined

  constructor(options: ActorSystemOptions) {
    const { clock, random, scheduler, metrics, logger = silentLogger } = options
    const onEscalate = options.onEscalate ?? ((error) => endProcess(scheduler, error))
    this.#root = { path: '', children: new Map<string, Child>(), childEscalated: onEscalate }
    this.#household = {
      clock,
      random,
      logger,
      dispatcher: new Dispatcher(clock, scheduler),
      deadLetters: new DeadLetters(metrics, options.onDeadLetter),
      figures: new ActorFigures(metrics),
      brokenInvariant: onEscalate,
    }
    this.#forgetMetrics = this.#exposeMailboxes(metrics, options.name ?? 'main')
  }

  /** How many messages were lost, or sent to actors that had stopped. */
  get deadLetters(): number {
    return this.#household.deadLetters.count
  }

  /** A new actor at the top of the tree. It starts on its own; messages may be sent at once. */
  spawn<Message>(
    name: string,
    factory: BehaviorFactory<Message>,
    options: SpawnOptions = {},
  ): ActorRef<Message> {
    assert(!this.#shutdown, 'spawned an actor in a system that is shut down')
    return spawn(this.#household, this.#root, name, factory, options)
  }

  /** Stops an actor after its children; resolves when it is gone. Not to be awaited by the actor. */
  async stop(ref: ActorRef<never>, { mailbox = 'drop' }: StopOptions = {}): Promise<void> {
    const cell = cellOf(ref)
    cell.requestStop(mailbox, 'stopped')
    await cell.stopped
  }

  /** Resolves when the actor has stopped for good, with the reason. For code that is no actor. */
  whenStopped(ref: ActorRef<never>): Promise<Terminated> {
    return cellOf(ref).stopped
  }

  /** Stops all actors, the last spawned first. */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    this.#shutdown ??= this.#stopAll(options)
    return this.#shutdown
  }

  async #stopAll({ mailbox = 'drop', timeoutMs }: ShutdownOptions): Promise<void> {
    const stopping = stopChildren(this.#root, mailbox)
    if (timeoutMs !== undefined) await this.#within(timeoutMs, stopping)
    else await stopping
    this.#forgetMetrics()
  }

  async #within(timeoutMs: number, stopping: Promise<void>): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const deadline = this.#household.clock.setTimer(timeoutMs, () => {
      reject(
        new StopTimeoutError(
          timeoutMs,
          [...descendants(this.#root)].map((actor) => actor.path),
        ),
      )
    })
    try {
      await Promise.race([stopping, late])
    } finally {
      deadline.cancel()
    }
  }

  #exposeMailboxes(metrics: Metrics | undefined, system: string): () => void {
    if (!metrics) return () => {}
    const actors = metrics.gauge(actorMetrics.actors)
    const queued = metrics.gauge(actorMetrics.queued)
    return metrics.onExpose(() => {
      let messages = 0
      let count = 0
      for (const child of descendants(this.#root)) {
        count++
        messages += child.queued
      }
      actors.set({ system }, count)
      queued.set({ system }, messages)
    })
  }
}

function endProcess(scheduler: Scheduler, error: EscalatedError): void {
  scheduler.soon(() => {
    throw error
  })
}
