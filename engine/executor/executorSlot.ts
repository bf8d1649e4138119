// One slot of the pool, an actor: `started` starts the slot's executor, the death of the executor
// is the actor's failure, and its supervision starts another one after a pause. Errors that a
// restart cannot repair, and too many failed starts in a row, escalate and end the job.
//
// Tasks and batches do not pass through the mailbox. The pool posts them to the running executor in
// the turn of the driver: an executor has its own queue (the message port of its thread), and
// a mailbox that survives a restart would hand the tasks of a dead executor to the next one. For
// the same reason the driver learns of a death before anything else is posted.

import type {
  ActorContext,
  ActorRef,
  ActorSystem,
  Behavior,
  ReplyTo,
} from '../../protocol/actor/actor.ts'
import { restart, type Verdict } from '../../protocol/actor/supervision.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { EngineError } from '../engineError.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import type { Executor, StartExecutor, TaskReport } from './task.ts'

export interface SlotOptions {
  readonly logger: Logger
  readonly start: StartExecutor
  /** Returns the batches that a new executor must know. */
  history(): readonly BatchInfo[]
  onRegistered(slot: number): void
  onReport(slot: number, report: TaskReport): void
  /** `error` is the cause of death; undefined after `interrupt`. */
  onLost(slot: number, error?: Error): void
}

type SlotMessage =
  /** Requests the executor. If it has died, the actor's next incarnation answers. */
  | { readonly kind: 'executor'; readonly reply: ReplyTo<Executor> }
  | { readonly kind: 'died'; readonly error: Error }
  | { readonly kind: 'interrupted' }

/** Starts of one slot that may fail in a row. */
const maxFailedStarts = 5
const backoff = {
  minBackoffMs: 100,
  maxBackoffMs: 5_000,
  /** Long enough for an executor that dies at every start to reach the longest pause. */
  withinMs: 30_000,
  /** Unlimited: the attempts of a task that kills executors are limited by the scheduler. */
  maxRestarts: Number.MAX_SAFE_INTEGER,
}

export class ExecutorSlot {
  readonly #slot: number
  readonly #options: SlotOptions
  readonly #actor: ActorRef<SlotMessage>
  readonly #filled = Promise.withResolvers<void>()
  readonly #stopped: Promise<unknown>
  /** Undefined while the slot has no executor that can take tasks. */
  #executor: Executor | undefined
  /** Starts since the last executor that was registered. */
  #starts = 0
  /** Resolves when the executor that was interrupted last has been terminated. */
  #terminated: Promise<void> | undefined

  constructor(system: ActorSystem, slot: number, options: SlotOptions) {
    this.#slot = slot
    this.#options = options
    const verdict = (error: Error) => verdictOn(error, this.#starts)
    this.#actor = system.spawn(`executor-${slot}`, () => this.#behavior(), {
      supervision: restart({ ...backoff, verdict }),
    })
    this.#stopped = system.whenStopped(this.#actor)
  }

  /** The executor that takes tasks now; undefined while it is being started or replaced. */
  get executor(): Executor | undefined {
    return this.#executor
  }

  /** Resolves when the slot had its first executor, or has stopped without one. */
  async filled(): Promise<void> {
    await Promise.race([this.#filled.promise, this.#stopped])
  }

  /** Resolves with the slot's executor, after its replacement if it has died; as `ask` does. */
  current(timeoutMs: number): Promise<Executor> {
    return this.#actor.ask((reply) => ({ kind: 'executor', reply }), timeoutMs)
  }

  /** Terminates the executor in the middle of its tasks and starts another one at once. */
  interrupt(reason: string): void {
    const executor = this.#executor
    if (executor?.interrupt === undefined) return
    this.#executor = undefined
    this.#options.logger.warn(
      { slot: this.#slot, reason },
      'terminating the executor and starting another one',
    )
    this.#options.onLost(this.#slot)
    this.#terminated = executor.interrupt()
    void this.#actor.tell({ kind: 'interrupted' })
  }

  #behavior(): Behavior<SlotMessage> {
    return {
      started: (context) => this.#start(context),
      receive: (message, context) => this.#receive(message, context),
      stopping: () => this.#stop(),
    }
  }

  #receive(message: SlotMessage, context: ActorContext<SlotMessage>): void | Promise<void> {
    switch (message.kind) {
      case 'executor':
        this.#answer(message.reply)
        return
      case 'died':
        throw message.error
      case 'interrupted':
        return this.#start(context)
    }
  }

  /** Refuses a request that was sent before the executor died, and arrives before that report. */
  #answer(reply: ReplyTo<Executor>): void {
    if (this.#executor !== undefined) reply.reply(this.#executor)
    else reply.refuse(new EngineError('EXECUTOR_FAILED', `executor ${this.#slot} has ended`))
  }

  async #start({ signal }: ActorContext<SlotMessage>): Promise<void> {
    await this.#terminated
    if (signal.aborted) return
    this.#starts++
    try {
      await this.#fill(signal)
    } catch (error) {
      if (verdictOn(error, this.#starts) === 'restart') {
        const { logger } = this.#options
        logger.warn({ slot: this.#slot, error }, 'failed to start an executor; retrying')
      }
      throw error
    }
    this.#starts = 0
  }

  async #fill(signal: AbortSignal): Promise<void> {
    const { start, history, onReport, onRegistered } = this.#options
    const slot = this.#slot
    let executor: Executor | undefined
    let death: Error | undefined
    executor = await start(slot, {
      onReport: (report) => onReport(slot, report),
      onLost: (error) => {
        death = error
        if (executor !== undefined && executor === this.#executor) this.#lost(error)
      },
    })
    // The executor died between its start and its registration: a failed start.
    if (death !== undefined) throw death
    if (signal.aborted) return await executor.stop()
    this.#executor = executor
    for (const batch of history()) executor.addBatch(batch)
    onRegistered(slot)
    this.#filled.resolve()
  }

  #lost(error: Error): void {
    this.#executor = undefined
    this.#options.logger.warn({ slot: this.#slot, error }, 'an executor died; starting another one')
    this.#options.onLost(this.#slot, error)
    void this.#actor.tell({ kind: 'died', error })
  }

  async #stop(): Promise<void> {
    const executor = this.#executor
    this.#executor = undefined
    await this.#terminated
    await executor?.stop()
  }
}

/** `starts`: how many starts in a row have failed, this one included; 0 when an executor died. */
function verdictOn(error: unknown, starts: number): Verdict {
  if (starts === 0) return 'restart'
  const isFinal = error instanceof EngineError && error.code !== 'EXECUTOR_FAILED'
  return isFinal || starts >= maxFailedStarts ? 'escalate' : 'restart'
}
