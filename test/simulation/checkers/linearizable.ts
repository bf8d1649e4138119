// Decides whether a history of concurrent operations is linearizable: whether each operation can be
// said to happen at one moment between its call and its return, so that all together are what a
// sequential model allows.
//
// The algorithm is that of Wing and Gong (Testing and Verifying Concurrent Objects, 1993) with the
// memoization of Lowe (Testing for Linearizability, 2017) and the partitions of Horn and Kroening
// (Faster Linearizability Checking via P-Compositionality, 2015), as Porcupine combines them:
// operations are tried in the order of their calls, each that fits is lifted out of the list, and
// one that has to return before anything else fits makes the last lifted one go back.
//
// Contract: an operation that did not return may happen at any time after its call, or never: its
// step is asked with an undefined output. The search ends after `mostSteps` without a decision.

export interface Model<State, Input, Output> {
  init(partition: string): State
  /** Undefined if the operation cannot happen in the state with that output. */
  step(state: State, input: Input, output: Output | undefined): Next<State> | undefined
  /** Operations of different partitions do not affect each other. */
  partition?(input: Input): string
  /** States with the same key are the same; without it, states are compared themselves. */
  key?(state: State): unknown
}

export interface Next<State> {
  readonly state: State
}

export interface ConcurrentOperation<Input, Output> {
  readonly client: string
  readonly input: Input
  /** Undefined if the operation did not return. */
  readonly output: Output | undefined
  readonly calledAt: number
  /** Infinity if the operation did not return. */
  readonly returnedAt: number
}

export interface Linearization<Input, Output> {
  readonly outcome: 'linearizable' | 'not linearizable' | 'unknown'
  /** Steps of the model that were tried. */
  readonly steps: number
  /** Of a partition that is not linearizable, or not decided. */
  readonly failure?: LinearizationFailure<Input, Output>
}

export interface LinearizationFailure<Input, Output> {
  readonly partition: string
  /** The longest order that was found, which cannot be continued. */
  readonly prefix: readonly ConcurrentOperation<Input, Output>[]
  /** Returned before any continuation of the prefix has it happen; undefined if not decided. */
  readonly misplaced: ConcurrentOperation<Input, Output> | undefined
}

const defaultMostSteps = 10_000_000

export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly ConcurrentOperation<Input, Output>[],
  mostSteps = defaultMostSteps,
): Linearization<Input, Output> {
  let steps = 0
  let undecided: Linearization<Input, Output> | undefined
  for (const [partition, members] of partitionsOf(model, operations)) {
    const search = new LinearizationSearch(model, partition, members, mostSteps - steps)
    const outcome = search.run()
    steps += search.steps
    if (outcome === 'linearizable') continue
    const failed = { outcome, steps, failure: search.failure(outcome) }
    if (outcome === 'not linearizable') return failed
    undecided ??= failed
  }
  return undecided ?? { outcome: 'linearizable', steps }
}

function partitionsOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly ConcurrentOperation<Input, Output>[],
): Map<string, ConcurrentOperation<Input, Output>[]> {
  const partitions = new Map<string, ConcurrentOperation<Input, Output>[]>()
  for (const operation of operations) {
    const name = model.partition?.(operation.input) ?? ''
    const members = partitions.get(name)
    if (members) members.push(operation)
    else partitions.set(name, [operation])
  }
  return partitions
}

/** A call or a return in the list of what was not lifted yet. */
interface Event<Input, Output> {
  /** Number of the operation, in the order of calls. */
  readonly id: number
  readonly operation: ConcurrentOperation<Input, Output>
  /** The return of a call that has one. */
  returns: Event<Input, Output> | undefined
  readonly isReturn: boolean
  previous: Event<Input, Output>
  next: Event<Input, Output> | undefined
}

/** An operation that was lifted, and what stood before. */
interface Lifted<State, Input, Output> {
  readonly call: Event<Input, Output>
  readonly before: Lifted<State, Input, Output> | undefined
  readonly stateBefore: State
  readonly highestBefore: number
  readonly depth: number
}

class LinearizationSearch<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #partition: string
  readonly #mostSteps: number
  readonly #head: Event<Input, Output>
  /** The states that each set of lifted operations has led to. */
  readonly #seen = new Map<string, Set<unknown>>()
  #state: State
  /** Operations that returned and are not lifted. */
  #remaining = 0
  #top: Lifted<State, Input, Output> | undefined
  /** Highest number of a lifted operation; -1 if none is. */
  #highest = -1
  #longest: Lifted<State, Input, Output> | undefined
  #misplaced: ConcurrentOperation<Input, Output> | undefined
  steps = 0

  constructor(
    model: Model<State, Input, Output>,
    partition: string,
    operations: readonly ConcurrentOperation<Input, Output>[],
    mostSteps: number,
  ) {
    this.#model = model
    this.#partition = partition
    this.#mostSteps = mostSteps
    this.#state = model.init(partition)
    this.#head = listOf(operations)
    for (const { returnedAt } of operations)
      if (returnedAt !== Number.POSITIVE_INFINITY) this.#remaining++
  }

  run(): Linearization<Input, Output>['outcome'] {
    let event = this.#head.next
    while (this.#remaining > 0) {
      if (event !== undefined && !event.isReturn) {
        if (this.steps === this.#mostSteps) return 'unknown'
        event = this.#tryToLift(event) ? this.#head.next : event.next
        continue
      }
      // Nothing more fits before this return: the last choice was wrong.
      this.#noteDeadEnd(event)
      const top = this.#top
      if (top === undefined) return 'not linearizable'
      this.#putBack(top)
      event = top.call.next
    }
    return 'linearizable'
  }

  failure(outcome: 'not linearizable' | 'unknown'): LinearizationFailure<Input, Output> {
    const prefix: ConcurrentOperation<Input, Output>[] = []
    const longest = outcome === 'unknown' ? (this.#longest ?? this.#top) : this.#longest
    for (let lifted = longest; lifted !== undefined; lifted = lifted.before)
      prefix.push(lifted.call.operation)
    return {
      partition: this.#partition,
      prefix: prefix.reverse(),
      misplaced: outcome === 'unknown' ? undefined : this.#misplaced,
    }
  }

  #tryToLift(call: Event<Input, Output>): boolean {
    this.steps++
    const { input, output } = call.operation
    const next = this.#model.step(this.#state, input, output)
    if (next === undefined) return false
    const top: Lifted<State, Input, Output> = {
      call,
      before: this.#top,
      stateBefore: this.#state,
      highestBefore: this.#highest,
      depth: (this.#top?.depth ?? 0) + 1,
    }
    this.#lift(call)
    this.#state = next.state
    this.#highest = Math.max(this.#highest, call.id)
    this.#top = top
    if (this.#isNew()) return true
    this.#putBack(top)
    return false
  }

  #lift(call: Event<Input, Output>): void {
    unlink(call)
    if (call.returns !== undefined) {
      unlink(call.returns)
      this.#remaining--
    }
  }

  #putBack(lifted: Lifted<State, Input, Output>): void {
    const { call } = lifted
    if (call.returns !== undefined) {
      link(call.returns)
      this.#remaining++
    }
    link(call)
    this.#state = lifted.stateBefore
    this.#highest = lifted.highestBefore
    this.#top = lifted.before
  }

  /** Whether the lifted operations have not led to this state before; it is remembered. */
  #isNew(): boolean {
    const key = this.#model.key ? this.#model.key(this.#state) : this.#state
    const lifted = this.#liftedText()
    const states = this.#seen.get(lifted)
    if (states === undefined) this.#seen.set(lifted, new Set([key]))
    else if (states.has(key)) return false
    else states.add(key)
    return true
  }

  /** Names the set of lifted operations: the highest, and those below it that are not lifted. */
  #liftedText(): string {
    let text = `${this.#highest}`
    for (let event = this.#head.next; event !== undefined; event = event.next) {
      if (event.isReturn) continue
      if (event.id > this.#highest) break
      text += ` ${event.id}`
    }
    return text
  }

  #noteDeadEnd(event: Event<Input, Output> | undefined): void {
    if (this.#misplaced !== undefined && (this.#top?.depth ?? 0) <= (this.#longest?.depth ?? 0))
      return
    this.#longest = this.#top
    this.#misplaced = event?.operation
  }
}

/** Calls and returns in the order of time; what happens at one time overlaps. */
function listOf<Input, Output>(
  operations: readonly ConcurrentOperation<Input, Output>[],
): Event<Input, Output> {
  const ordered = [...operations].sort((a, b) => a.calledAt - b.calledAt)
  const events: Event<Input, Output>[] = []
  ordered.forEach((operation, id) => {
    const call = eventOf(id, operation, false)
    events.push(call)
    if (operation.returnedAt === Number.POSITIVE_INFINITY) return
    call.returns = eventOf(id, operation, true)
    events.push(call.returns)
  })
  events.sort((a, b) => timeOf(a) - timeOf(b) || Number(a.isReturn) - Number(b.isReturn))
  const head = eventOf<Input, Output>(-1, undefined as never, false)
  let last = head
  for (const event of events) {
    event.previous = last
    last.next = event
    last = event
  }
  return head
}

function eventOf<Input, Output>(
  id: number,
  operation: ConcurrentOperation<Input, Output>,
  isReturn: boolean,
): Event<Input, Output> {
  // The list sets the neighbours; the head stays without one before it.
  const event = { id, operation, returns: undefined, isReturn, next: undefined } as object
  return event as Event<Input, Output>
}

function timeOf<Input, Output>(event: Event<Input, Output>): number {
  return event.isReturn ? event.operation.returnedAt : event.operation.calledAt
}

function unlink<Input, Output>(event: Event<Input, Output>): void {
  event.previous.next = event.next
  if (event.next !== undefined) event.next.previous = event.previous
}

/** Puts an event back between the neighbours that it had: in the reverse order of `unlink`. */
function link<Input, Output>(event: Event<Input, Output>): void {
  event.previous.next = event
  if (event.next !== undefined) event.next.previous = event
}
