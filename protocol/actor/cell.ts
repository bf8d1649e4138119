// The cell runs one actor: it performs the steps of the lifecycle, hands messages to the behavior
// and carries out the decisions of supervision. The decisions themselves are in lifecycle.ts,
// mailbox.ts and supervision.ts. It must never run two functions of its behavior concurrently.

import { assert } from '../runtime/assert.ts'
import type { Clock, Timer } from '../runtime/time/clock.ts'
import { LastingCondition } from '../telemetry/logging/lastingCondition.ts'
import { Asked } from './ask.ts'
import type {
  ActorRef,
  BehaviorFactory,
  ReplyTo,
  SpawnOptions,
  StopReason,
  Terminated,
} from './behavior.ts'
import type { Runnable } from './dispatcher.ts'
import type { Environment } from './environment.ts'
import { asError, EscalatedError } from './failures.ts'
import { accepted, type Entry, Inbox } from './inbox.ts'
import { Incarnation, type Owner } from './incarnation.ts'
import { Lifecycle } from './lifecycle.ts'
import { type Decision, restart, Supervisor } from './supervision.ts'

const defaultMailboxCapacity = 1024
/**
 * How long an actor that failed must handle messages before it is logged as recovered: longer than
 * a backoff, so that an actor that fails after every restart is logged once.
 */
const settleMs = 15_000

/** Returns the actor behind a reference. */
export function cellOf(ref: ActorRef<never>): Cell<unknown> {
  assert(ref instanceof Cell, 'a reference that no actor system made')
  return ref
}

export class Cell<Message> implements ActorRef<Message>, Owner<Message>, Runnable {
  readonly path: string
  /** Resolves when the actor has stopped and is not restarted. */
  readonly stopped: Promise<Terminated>
  readonly #environment: Environment
  readonly #name: string
  readonly #factory: BehaviorFactory<Message>
  readonly #supervisor: Supervisor
  readonly #lifecycle = new Lifecycle()
  readonly #inbox: Inbox<Message>
  readonly #resolveStopped: (terminated: Terminated) => void
  #incarnation: Incarnation<Message> | undefined
  /** Pause before the restart that was decided last. */
  #delayMs = 0
  #pause: Timer | undefined
  /** In the line of the dispatcher, running, or scheduled when a pending promise settles. */
  #isAwake = false
  /** Message of a pending `receive`; boxed, as a message may be undefined. */
  #handling: { readonly entry: Entry<Message> } | undefined
  #terminated: Terminated = { reason: 'stopped', error: undefined }
  /** Created at the first failure: an actor may be restarted every ten seconds for days. */
  #failing: LastingCondition | undefined

  constructor(
    environment: Environment,
    name: string,
    factory: BehaviorFactory<Message>,
    options: SpawnOptions,
  ) {
    this.path = `/${name}`
    this.#environment = environment
    this.#name = name
    this.#factory = factory
    this.#supervisor = new Supervisor(options.supervision ?? restart())
    const capacity = options.mailboxCapacity ?? defaultMailboxCapacity
    this.#inbox = new Inbox(environment, this.path, capacity)
    const { promise, resolve } = Promise.withResolvers<Terminated>()
    this.stopped = promise
    this.#resolveStopped = resolve
  }

  get self(): ActorRef<Message> {
    return this
  }

  get clock(): Clock {
    return this.#environment.clock
  }

  /** Messages accepted and not yet handled. */
  get queued(): number {
    return this.#inbox.size
  }

  // --- Sending ---

  tell(message: Message): Promise<void> {
    if (!this.#inbox.offer(message)) return this.#inbox.tellWaiting(message)
    if (!this.#isAwake) this.wake()
    return accepted
  }

  tryTell(message: Message): boolean {
    if (!this.#inbox.offer(message)) return false
    if (!this.#isAwake) this.wake()
    return true
  }

  ask<Reply>(make: (reply: ReplyTo<Reply>) => Message, timeoutMs: number): Promise<Reply> {
    const answer = this.#inbox.ask(this.clock, make, timeoutMs)
    this.wake()
    return answer
  }

  // --- Running ---

  wake(): void {
    if (this.#isAwake) return
    this.#isAwake = true
    this.#environment.dispatcher.schedule(this)
  }

  run(limit: number): number {
    let handled = 0
    for (;;) {
      const step = this.#lifecycle.next()
      if (step === 'handle') {
        if (handled === limit) {
          this.#environment.dispatcher.schedule(this)
          return handled
        }
        if (!this.#handleNext(this.#incarnation!)) break
        handled++
      } else if (step === 'wait') break
      else this.#perform(step)
    }
    this.#isAwake = this.#lifecycle.isBusy
    return handled
  }

  /** Handles one message; returns false when there is none. */
  #handleNext(incarnation: Incarnation<Message>): boolean {
    const due = incarnation.nextDue()
    if (due) this.#receive(incarnation, due.message)
    else if (this.#inbox.isEmpty) return false
    else this.#receive(incarnation, this.#inbox.take())
    return true
  }

  #receive(incarnation: Incarnation<Message>, entry: Entry<Message>): void {
    let result: void | Promise<void>
    try {
      const message = entry instanceof Asked ? entry.message : entry
      result = incarnation.behavior.receive(message, incarnation)
    } catch (thrown) {
      this.#fail(thrown, { entry })
      return
    }
    if (!(result instanceof Promise)) {
      this.#failing?.over({ actor: this.path })
      return
    }
    this.#lifecycle.begin('handle')
    this.#handling = { entry }
    result.then(this.#fulfilled, this.#rejected)
  }

  #perform(step: 'start' | 'close' | 'finish'): void {
    switch (step) {
      case 'start':
        this.#call('start', () => {
          this.#incarnation = new Incarnation<Message>(this, this.#factory)
          return this.#incarnation.behavior.started?.(this.#incarnation)
        })
        break
      case 'close': {
        const incarnation = this.#incarnation
        incarnation?.end()
        this.#call('close', () => incarnation?.behavior.stopping?.(incarnation))
        break
      }
      case 'finish':
        this.#lifecycle.begin('finish')
        this.#lifecycle.done()
        this.#environment.stopped(this.#name)
        this.#resolveStopped(this.#terminated)
        break
    }
  }

  /** Runs a hook of the behavior as one step of the lifecycle. */
  #call(step: 'start' | 'close', hook: () => void | Promise<void>): void {
    this.#lifecycle.begin(step)
    let result: void | Promise<void>
    try {
      result = hook()
    } catch (thrown) {
      this.#stepFailed(thrown)
      return
    }
    if (result instanceof Promise) result.then(this.#fulfilled, this.#rejected)
    else this.#stepDone()
  }

  readonly #fulfilled = (): void => {
    if (this.#handling) this.#failing?.over({ actor: this.path })
    this.#stepDone()
    this.#environment.dispatcher.schedule(this)
  }

  readonly #rejected = (thrown: unknown): void => {
    this.#stepFailed(thrown)
    this.#environment.dispatcher.schedule(this)
  }

  #stepDone(): void {
    this.#handling = undefined
    this.#lifecycle.done()
    if (this.#lifecycle.phase !== 'held') return
    this.#incarnation = undefined
    if (!this.#lifecycle.isStopping) this.#pause = this.clock.setTimer(this.#delayMs, this.#resume)
  }

  readonly #resume = (): void => {
    this.#lifecycle.release()
    this.wake()
  }

  #stepFailed(thrown: unknown): void {
    const { isClosing } = this.#lifecycle
    const handling = this.#handling
    this.#stepDone()
    if (isClosing) this.#log('an actor failed to stop in order', asError(thrown))
    else this.#fail(thrown, handling)
  }

  // --- Failing ---

  #fail(thrown: unknown, failed: { readonly entry: Entry<Message> } | undefined): void {
    const error = asError(thrown)
    const { clock, random, counters } = this.#environment
    counters.failed()
    if (failed) this.#inbox.lose(failed.entry, 'failed', error)
    if (this.#lifecycle.isStopping) {
      this.#log('an actor failed while it stopped', error)
      return
    }
    const decision = this.#supervisor.onFailure(error, clock.monotonicMs(), random.float())
    switch (decision.kind) {
      case 'restart':
        this.#restart(error, decision)
        break
      case 'stop':
        this.#log('an actor failed and stops', error, decision)
        this.requestStop(decision.reason, error)
        break
      case 'escalate':
        this.#log('an actor failed and escalates', error)
        this.requestStop('escalated', error)
        this.#environment.escalated(new EscalatedError(this.path, error))
        break
    }
  }

  /** Logged again when the actor fails elsewhere, or with another code. */
  #restart(error: Error, decision: Extract<Decision, { kind: 'restart' }>): void {
    const { clock, logger, counters } = this.#environment
    counters.restarted()
    const over = 'an actor that failed works again'
    this.#failing ??= new LastingCondition({ clock, logger, over, settleMs })
    const message = 'an actor failed and will be restarted'
    this.#failing.met({ actor: this.path, error, ...decision }, message, causeOf(error))
    this.#delayMs = decision.delayMs
    this.#lifecycle.restart()
    this.#incarnation?.abort()
  }

  #log(message: string, error: Error, fields: object = {}): void {
    this.#environment.logger.error({ actor: this.path, error, ...fields }, message)
  }

  // --- Stopping ---

  /** Begins to stop the actor; `stopped` resolves at the end. The first reason counts. */
  requestStop(reason: StopReason, error?: Error): void {
    if (this.#lifecycle.isStopping) return
    this.#terminated = { reason, error }
    this.#lifecycle.stop()
    this.#pause?.cancel()
    this.#incarnation?.abort()
    this.#inbox.drop()
    this.wake()
  }
}

/** What equal failures have in common: messages contain times and addresses. */
function causeOf(error: Error): string {
  const { code = '' } = error as { code?: unknown }
  return [error.name, String(code), /^ {4}at .*$/m.exec(error.stack ?? '')?.[0]].join(' ')
}
