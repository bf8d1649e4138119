// The shell that runs one actor: it does what the lifecycle says is next, hands messages to the
// behaviour, and carries out what supervision decides. The decisions themselves are in lifecycle.ts,
// mailbox.ts and supervision.ts. It never runs two functions of its behaviour at the same time.

import { AssertionError, assert } from '../runtime/assert.ts'
import type { Clock } from '../runtime/clock.ts'
import { LastingCondition } from '../telemetry/lastingCondition.ts'
import { Asked } from './ask.ts'
import type {
  ActorRef,
  BehaviorFactory,
  ReplyTo,
  SpawnOptions,
  StopOptions,
  StopReason,
  Terminated,
} from './behavior.ts'
import type { Runnable } from './dispatcher.ts'
import { asError, EscalatedError } from './failures.ts'
import { type Child, type Parent, stopChildren } from './family.ts'
import type { Household } from './household.ts'
import { accepted, type Entry, Inbox } from './inbox.ts'
import { Incarnation, type Owner, type Watcher } from './incarnation.ts'
import { Lifecycle, type StopMailbox } from './lifecycle.ts'
import { RestartRound } from './restartRound.ts'
import { type Decision, type RestartScope, restart, Supervisor } from './supervision.ts'

const defaultMailboxCapacity = 1024
/** An actor that failed works again when it has handled messages for so long: more than restarts wait. */
const settleMs = 15_000

/** Makes an actor, which starts on its own. The name must be free. */
export function spawn<Message>(
  household: Household,
  parent: Parent,
  name: string,
  factory: BehaviorFactory<Message>,
  options: SpawnOptions,
): ActorRef<Message> {
  assert(name !== '' && !name.includes('/'), `'${name}' cannot be the name of an actor`)
  assert(!parent.children.has(name), `${parent.path}/${name} is still alive: its name is taken`)
  const cell = new Cell(household, parent, name, factory, options)
  parent.children.set(name, cell)
  cell.wake()
  return cell
}

/** The actor behind a reference. */
export function cellOf(ref: ActorRef<never>): Child {
  assert(ref instanceof Cell, 'a reference that no actor system made')
  return ref
}

class Cell<Message> implements ActorRef<Message>, Owner<Message>, Runnable, Child, Parent {
  readonly path: string
  readonly parent: Parent
  readonly children = new Map<string, Child>()
  readonly stopped: Promise<Terminated>
  readonly #household: Household
  readonly #name: string
  readonly #factory: BehaviorFactory<Message>
  readonly #supervisor: Supervisor
  readonly #lifecycle = new Lifecycle()
  readonly #inbox: Inbox<Message>
  readonly #watchers = new Set<Watcher>()
  readonly #resolveStopped: (terminated: Terminated) => void
  #incarnation: Incarnation<Message> | undefined
  #round: RestartRound | undefined
  /** In the dispatcher's line, running, or sure to get there when a promise settles. */
  #isAwake = false
  /** What an asynchronous `receive` is handling; boxed, as a message may be undefined. */
  #handling: { readonly entry: Entry<Message> } | undefined
  #terminated: Terminated
  /** From the first failure on: an actor may be restarted every ten seconds for days. */
  #failing: LastingCondition | undefined

  constructor(
    household: Household,
    parent: Parent,
    name: string,
    factory: BehaviorFactory<Message>,
    options: SpawnOptions,
  ) {
    this.path = `${parent.path}/${name}`
    this.parent = parent
    this.#household = household
    this.#name = name
    this.#factory = factory
    this.#supervisor = new Supervisor(options.supervision ?? restart())
    const capacity = options.mailboxCapacity ?? defaultMailboxCapacity
    this.#inbox = new Inbox(household, this.path, capacity)
    this.#terminated = { ref: this, reason: 'stopped', error: undefined }
    const { promise, resolve } = Promise.withResolvers<Terminated>()
    this.stopped = promise
    this.#resolveStopped = resolve
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
    this.#household.dispatcher.schedule(this)
  }

  run(limit: number): number {
    let handled = 0
    for (;;) {
      const step = this.#lifecycle.next(this.#inbox.isEmpty)
      if (step === 'handle') {
        if (handled === limit) {
          this.#household.dispatcher.schedule(this)
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

  /** False when there is nothing to handle. */
  #handleNext(incarnation: Incarnation<Message>): boolean {
    if (incarnation.hasNews) {
      this.#handleNews(incarnation)
      return true
    }
    if (this.#inbox.isEmpty) return false
    this.#receive(incarnation, this.#inbox.take())
    return true
  }

  #handleNews(incarnation: Incarnation<Message>): void {
    const news = incarnation.nextNews()
    if (news?.kind === 'timer') this.#receive(incarnation, news.message)
    if (news?.kind === 'terminated') {
      const { behavior } = incarnation
      this.#call('handle', () => behavior.onTerminated?.(news.terminated, incarnation))
    }
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

  #perform(step: 'start' | 'stopChildren' | 'close' | 'finish'): void {
    switch (step) {
      case 'start':
        this.#call('start', () => this.#start())
        break
      case 'stopChildren':
        this.#stopChildren()
        break
      case 'close': {
        const incarnation = this.#incarnation
        this.#inbox.endOverdraft()
        this.#call('close', () => incarnation?.behavior.stopping?.(incarnation))
        break
      }
      case 'finish':
        this.#finish()
        break
    }
  }

  #start(): void | Promise<void> {
    const incarnation = new Incarnation(this, this.#factory)
    if (this.#lifecycle.isStopping) incarnation.silence()
    this.#incarnation = incarnation
    return incarnation.behavior.started?.(incarnation)
  }

  #stopChildren(): void {
    this.#lifecycle.begin('stopChildren')
    this.#incarnation?.end()
    if (this.children.size === 0) {
      this.#stepDone()
      return
    }
    this.#inbox.overdraw()
    const mailbox = this.#lifecycle.isDraining ? 'drain' : 'drop'
    stopChildren(this, mailbox).then(this.#fulfilled)
  }

  #finish(): void {
    this.#lifecycle.begin('finish')
    this.#round?.leave(this)
    this.parent.children.delete(this.#name)
    this.#lifecycle.done()
    this.#resolveStopped(this.#terminated)
    for (const watcher of this.#watchers) watcher.terminated(this.#terminated)
    this.#watchers.clear()
  }

  /** Runs a function of the behaviour as one step of the lifecycle. */
  #call(step: 'start' | 'handle' | 'close', hook: () => void | Promise<void>): void {
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
    this.#household.dispatcher.schedule(this)
  }

  readonly #rejected = (thrown: unknown): void => {
    this.#stepFailed(thrown)
    this.#household.dispatcher.schedule(this)
  }

  #stepDone(): void {
    this.#handling = undefined
    this.#lifecycle.done()
    if (this.#lifecycle.phase !== 'held') return
    this.#incarnation = undefined
    if (!this.#lifecycle.isStopping) this.#round?.ended(this)
  }

  #stepFailed(thrown: unknown): void {
    const isClosing = this.#lifecycle.phase === 'childless'
    const handling = this.#handling
    this.#stepDone()
    if (isClosing) this.#log('error', 'an actor failed to stop in order', asError(thrown))
    else this.#fail(thrown, handling)
  }

  // --- Failing ---

  childEscalated(error: EscalatedError): void {
    // While it ends to be restarted its children are being stopped anyway.
    if (this.#lifecycle.isRestarting) return
    this.#fail(error, undefined)
    this.wake()
  }

  #fail(thrown: unknown, failed: { readonly entry: Entry<Message> } | undefined): void {
    const error = asError(thrown)
    const { clock, random, figures } = this.#household
    figures.failed()
    if (this.#lifecycle.isStopping) {
      this.#failStopping(error, failed)
      return
    }
    const isBroken = error instanceof AssertionError
    const decision: Decision = isBroken
      ? { kind: 'escalate' }
      : this.#supervisor.onFailure(clock.monotonicMs(), random.float())
    if (failed) {
      if (decision.kind === 'restart' && this.#supervisor.retriesMessage) {
        this.#inbox.retain(failed.entry)
      } else this.#inbox.lose(failed.entry, 'failed', error)
    }
    switch (decision.kind) {
      case 'restart':
        this.#willRestart(error, decision)
        this.#restart(decision.scope, decision.delayMs)
        break
      case 'stop':
        this.#log('error', 'an actor failed and stops', error, decision)
        for (const actor of this.#group(decision.scope)) {
          actor.requestStop('drop', decision.reason, error)
        }
        break
      case 'escalate':
        this.#log('error', 'an actor failed and escalates', error)
        this.requestStop('drop', 'escalated', error)
        if (isBroken) this.#household.brokenInvariant(new EscalatedError(this.path, error))
        else this.parent.childEscalated(new EscalatedError(this.path, error))
        break
    }
  }

  /** The state that would drain the rest of the mailbox can no longer be trusted. */
  #failStopping(error: Error, failed: { readonly entry: Entry<Message> } | undefined): void {
    this.#lifecycle.failed()
    if (failed) this.#inbox.lose(failed.entry, 'failed', error)
    this.#inbox.drop()
    this.#log('error', 'an actor failed while it stopped', error)
  }

  /** Logged again when the actor fails elsewhere, or with another code. */
  #willRestart(error: Error, decision: Decision): void {
    const { clock, logger } = this.#household
    const over = 'an actor that failed works again'
    this.#failing ??= new LastingCondition({ clock, logger, over, settleMs })
    const message = 'an actor failed and will be restarted'
    this.#failing.met({ actor: this.path, error, ...decision }, message, causeOf(error))
  }

  #restart(scope: RestartScope, delayMs: number): void {
    this.#household.figures.restarted()
    if (this.#round) {
      this.#round.postpone(delayMs)
      return
    }
    const members = this.#group(scope)
    const round = new RestartRound(this.clock, members, delayMs)
    for (const member of members) member.join(round)
  }

  /** Whom a decision about this actor is about. */
  #group(scope: RestartScope): Child[] {
    if (scope === 'one-for-one') return [this]
    return [...this.parent.children.values()].filter((sibling) => !sibling.isStopping)
  }

  join(round: RestartRound): void {
    this.#round?.leave(this)
    this.#round = round
    this.#lifecycle.restart()
    if (this.#lifecycle.phase === 'held') {
      round.ended(this)
      return
    }
    this.#incarnation?.abort()
    this.wake()
  }

  release(): void {
    this.#round = undefined
    this.#lifecycle.release()
    this.wake()
  }

  #log(level: 'warn' | 'error', message: string, error: Error, fields: object = {}): void {
    this.#household.logger[level]({ actor: this.path, error, ...fields }, message)
  }

  // --- Stopping ---

  get isStopping(): boolean {
    return this.#lifecycle.isStopping
  }

  get queued(): number {
    return this.#inbox.size
  }

  requestStop(mailbox: StopMailbox, reason: StopReason, error?: Error): void {
    if (this.#lifecycle.phase === 'stopped') return
    if (!this.#lifecycle.isStopping) this.#terminated = { ref: this, reason, error }
    this.#lifecycle.stop(mailbox)
    this.#inbox.close()
    if (this.#lifecycle.isDraining) this.#incarnation?.silence()
    else {
      this.#incarnation?.abort()
      this.#inbox.drop()
    }
    this.wake()
  }

  addWatcher(watcher: Watcher): void {
    if (this.#lifecycle.phase === 'stopped') watcher.terminated(this.#terminated)
    else this.#watchers.add(watcher)
  }

  removeWatcher(watcher: Watcher): void {
    this.#watchers.delete(watcher)
  }

  // --- What its incarnation asks of it ---

  get self(): ActorRef<Message> {
    return this
  }

  get clock(): Clock {
    return this.#household.clock
  }

  spawn<Grandchild>(
    name: string,
    factory: BehaviorFactory<Grandchild>,
    options: SpawnOptions,
  ): ActorRef<Grandchild> {
    return spawn(this.#household, this, name, factory, options)
  }

  async stopChild(ref: ActorRef<never>, { mailbox = 'drop' }: StopOptions): Promise<void> {
    const child = cellOf(ref)
    assert(child.parent === this, `${child.path} is not a child of ${this.path}`)
    child.requestStop(mailbox, 'stopped')
    await child.stopped
  }

  stopSelf({ mailbox = 'drop' }: StopOptions): void {
    this.requestStop(mailbox, 'stopped')
  }

  watch(actor: ActorRef<never>, watcher: Watcher): void {
    cellOf(actor).addWatcher(watcher)
  }

  unwatch(actor: ActorRef<never>, watcher: Watcher): void {
    cellOf(actor).removeWatcher(watcher)
  }
}

/** What two failures have in common that are the same: messages name times and addresses. */
function causeOf(error: Error): string {
  const { code = '' } = error as { code?: unknown }
  return [error.name, String(code), /^ {4}at .*$/m.exec(error.stack ?? '')?.[0]].join(' ')
}
