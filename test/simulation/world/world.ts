// A simulated world: virtual time, one event at a time, one source of randomness for each concern.
// After each event all promise jobs run before the next event, so production code with promises is
// deterministic in it.
//
// Contract: whatever runs in a world gets time, randomness, disk and network from it only. Nothing
// in it waits for real time or real I/O. The same seed gives the same trace in every process.

import { assert } from '../../../protocol/runtime/assert.ts'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import { runSteps } from '../../../protocol/runtime/scheduling/steps.ts'
import { EventHeap, type EventOwner, SimulatedEvent } from './eventHeap.ts'
import { Marks } from './marks.ts'
import { Trace, type TraceOptions } from './trace.ts'

export interface WorldOptions {
  readonly seed: number
  readonly trace?: TraceOptions
}

export interface RunLimits {
  /** Virtual time at which the run ends, in ms; also without any event left. */
  readonly untilMs: number
  /** Limit on the events of the run; more of them are an endless loop. */
  readonly maxEvents: number
  /** Asked after each event; the run ends when it holds. */
  readonly isOver?: () => boolean
}

/**
 * `over`: the condition holds. `late`: the time is up. `idle`: no event is left. `exhausted`: too
 * many events.
 */
export type RunEnd = 'over' | 'late' | 'idle' | 'exhausted'

export class World implements EventOwner {
  readonly name = 'world'
  readonly seed: number
  /** To be forked for each concern, so that the draws of one do not shift those of another. */
  readonly random: Random
  readonly trace: Trace
  readonly marks = new Marks()
  /**
   * Called with what an event threw, and with rejections that nobody handled. The owner is that of
   * the event whose promise jobs ran.
   */
  onError: (error: unknown, owner: EventOwner) => void = (error) => {
    throw error
  }
  readonly #heap = new EventHeap()
  readonly #afterEvents: { readonly count: number; readonly run: () => void }[] = []
  #nowMs = 0
  #sequence = 0
  #events = 0
  #current: EventOwner = this

  constructor({ seed, trace }: WorldOptions) {
    this.seed = seed
    this.random = seededRandom(seed)
    this.trace = new Trace(trace)
  }

  /** Virtual time since the world began, in ms, with fractions. Hosts have clocks of their own. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Number of events that have run. */
  get events(): number {
    return this.#events
  }

  /** The owner of the last event. */
  get current(): EventOwner {
    return this.#current
  }

  accepts(): boolean {
    return true
  }

  /** Runs `run` after `delayMs` of virtual time as an event of its own. */
  schedule(
    delayMs: number,
    owner: EventOwner,
    kind: string,
    detail: string,
    run: () => void,
  ): SimulatedEvent {
    const timeMs = this.#nowMs + Math.max(0, delayMs)
    const event = new SimulatedEvent(timeMs, ++this.#sequence, owner, kind, detail, run)
    if (timeMs < Number.POSITIVE_INFINITY) this.#heap.push(event)
    return event
  }

  /** Schedules an event again that its owner had kept, behind everything that is due now. */
  reschedule(event: SimulatedEvent): void {
    event.timeMs = Math.max(this.#nowMs, event.timeMs)
    event.sequence = ++this.#sequence
    this.#heap.push(event)
  }

  /** Runs `run` as an event of the world once `count` more events have run. */
  afterEvents(count: number, kind: string, detail: string, run: () => void): void {
    const due = this.#events + count
    const at = this.#afterEvents.findIndex((other) => other.count > due)
    const entry = {
      count: due,
      run: () => {
        this.trace.add(this.#nowMs, this.name, kind, detail)
        run()
      },
    }
    this.#afterEvents.splice(at === -1 ? this.#afterEvents.length : at, 0, entry)
  }

  /** Notes something that is no event of its own in the trace. */
  note(owner: string, kind: string, detail: string): void {
    this.trace.add(this.#nowMs, owner, kind, detail)
  }

  /** Runs events until a limit is reached. Calls must not overlap. */
  async run({ untilMs, maxEvents, isOver }: RunLimits): Promise<RunEnd> {
    let end: RunEnd | undefined
    const lastEvent = this.#events + maxEvents
    await runSteps(() => {
      if (isOver?.()) end = 'over'
      else if (this.#events >= lastEvent) end = 'exhausted'
      else end = this.#step(untilMs)
      return end === undefined
    })
    assert(end !== undefined, 'a run ends for a reason')
    return end
  }

  /** Promise jobs of the current event belong to this owner from here on. */
  enter(owner: EventOwner): void {
    this.#current = owner
  }

  /** Hands an error to whoever asked for them, as that of the owner of the last event. */
  fail(error: unknown): void {
    this.onError(error, this.#current)
  }

  #step(untilMs: number): RunEnd | undefined {
    const due = this.#afterEvents[0]
    if (due !== undefined && due.count <= this.#events) {
      this.#afterEvents.shift()
      this.#events++
      this.#run(this, due.run)
      return undefined
    }
    for (;;) {
      const next = this.#heap.peek()
      if (next === undefined || (!next.isCancelled && next.timeMs > untilMs)) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return next === undefined ? 'idle' : 'late'
      }
      this.#heap.pop()
      if (next.isCancelled) continue
      this.#nowMs = Math.max(this.#nowMs, next.timeMs)
      if (!next.owner.accepts(next)) continue
      this.#events++
      this.trace.add(this.#nowMs, next.owner.name, next.kind, next.detail)
      this.#run(next.owner, next.run)
      return undefined
    }
  }

  #run(owner: EventOwner, run: () => void): void {
    this.#current = owner
    try {
      run()
    } catch (error) {
      this.onError(error, owner)
    }
  }
}
