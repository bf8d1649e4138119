// The actor system, the public face of this folder: long-lived parts of a program, each with one
// bounded mailbox, its own timers and its own supervision.
//
// Guarantees:
//   - messages of one sender are handled in the order sent, each at most once;
//   - a full mailbox makes senders wait and never drops;
//   - a crash loses the message that was being handled and no other;
//   - a lost message, there or because its actor stopped, is reported as a dead letter.
//
// Nothing here reads the machine's clock or its randomness, or schedules by itself: the same code
// runs in the simulator. An actor lives in its program; it is never serialized or moved.

import { assert } from '../runtime/assert.ts'
import type { Random } from '../runtime/random.ts'
import type { Scheduler } from '../runtime/scheduling/scheduler.ts'
import type { Clock } from '../runtime/time/clock.ts'
import { type Logger, silentLogger } from '../telemetry/logging/logger.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { actorMetrics } from './actorMetrics.ts'
import type { ActorRef, BehaviorFactory, SpawnOptions, Terminated } from './behavior.ts'
import { Cell, cellOf } from './cell.ts'
import { type DeadLetterHook, DeadLetters } from './deadLetters.ts'
import { Dispatcher } from './dispatcher.ts'
import { ActorCounters, type Environment } from './environment.ts'
import type { EscalatedError } from './failures.ts'

export type { ActorContext, ActorRef, Behavior, BehaviorFactory, ReplyTo } from './behavior.ts'

export interface ActorSystemOptions {
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly metrics?: Metrics
  readonly logger?: Logger
  /** Label of this system in the metrics, where a registry has several. */
  readonly name?: string
  /**
   * Called when an actor failed and the verdict was to escalate, or when it broke an invariant
   * (AssertionError), whatever the verdict. By default the error is thrown in a task of the
   * scheduler, which ends the process: without that actor the program would only seem to work.
   */
  readonly onEscalate?: (error: EscalatedError) => void
  /** Must not throw. */
  readonly onDeadLetter?: DeadLetterHook
}

export class ActorSystem {
  readonly #environment: Environment
  /** Living actors by name. */
  readonly #actors = new Map<string, Cell<unknown>>()
  readonly #unregisterMetrics: () => void
  #shutdown: Promise<void> | undefined

  constructor(options: ActorSystemOptions) {
    const { clock, random, scheduler, metrics, logger = silentLogger } = options
    this.#environment = {
      clock,
      random,
      logger,
      dispatcher: new Dispatcher(clock, scheduler),
      deadLetters: new DeadLetters(metrics, options.onDeadLetter),
      counters: new ActorCounters(metrics),
      escalated: options.onEscalate ?? ((error) => endProcess(scheduler, error)),
      stopped: (name) => this.#actors.delete(name),
    }
    this.#unregisterMetrics = this.#exposeMailboxes(metrics, options.name ?? 'main')
  }

  /**
   * Creates an actor, which starts by itself; messages may be sent at once. Names are unique among
   * living actors and contain no slash.
   */
  spawn<Message>(
    name: string,
    factory: BehaviorFactory<Message>,
    options: SpawnOptions = {},
  ): ActorRef<Message> {
    assert(!this.#shutdown, 'spawned an actor in a system that is shut down')
    assert(name !== '' && !name.includes('/'), `'${name}' cannot be the name of an actor`)
    assert(!this.#actors.has(name), `/${name} is still alive: its name is taken`)
    const cell = new Cell(this.#environment, name, factory, options)
    this.#actors.set(name, cell)
    cell.wake()
    return cell
  }

  /**
   * Stops an actor after the message that it is handling; the rest of its mailbox becomes dead
   * letters. Resolves when the actor has stopped. Must not be awaited by the actor itself.
   */
  async stop(ref: ActorRef<never>): Promise<void> {
    const cell = cellOf(ref)
    cell.requestStop('stopped')
    await cell.stopped
  }

  /** Resolves with the reason when the actor has stopped and is not restarted. */
  whenStopped(ref: ActorRef<never>): Promise<Terminated> {
    return cellOf(ref).stopped
  }

  /** Stops all actors concurrently. No actor can be spawned afterwards. */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#stopAll()
    return this.#shutdown
  }

  async #stopAll(): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => this.stop(actor)))
    this.#unregisterMetrics()
  }

  #exposeMailboxes(metrics: Metrics | undefined, system: string): () => void {
    if (!metrics) return () => {}
    const actors = metrics.gauge(actorMetrics.actors)
    const queued = metrics.gauge(actorMetrics.queued)
    return metrics.onExpose(() => {
      let messages = 0
      for (const actor of this.#actors.values()) messages += actor.queued
      actors.set({ system }, this.#actors.size)
      queued.set({ system }, messages)
    })
  }
}

function endProcess(scheduler: Scheduler, error: EscalatedError): void {
  scheduler.soon(() => {
    throw error
  })
}
