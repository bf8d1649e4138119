// The pending events of a world: a binary heap by (time, sequence), so that events of one time run
// in the order in which they were scheduled. A cancelled event stays in the heap until its time.

/** Whose event it is. */
export interface EventOwner {
  /** Name in the trace. */
  readonly name: string
  /** Whether the event runs now; false if the owner dropped it, or keeps it for later. */
  accepts(event: SimulatedEvent): boolean
}

export class SimulatedEvent {
  timeMs: number
  sequence: number
  readonly owner: EventOwner
  readonly kind: string
  readonly detail: string
  readonly run: () => void
  isCancelled = false

  constructor(
    timeMs: number,
    sequence: number,
    owner: EventOwner,
    kind: string,
    detail: string,
    run: () => void,
  ) {
    this.timeMs = timeMs
    this.sequence = sequence
    this.owner = owner
    this.kind = kind
    this.detail = detail
    this.run = run
  }

  /** No effect on an event that has run. */
  cancel(): void {
    this.isCancelled = true
  }
}

export class EventHeap {
  readonly #events: SimulatedEvent[] = []

  get size(): number {
    return this.#events.length
  }

  peek(): SimulatedEvent | undefined {
    return this.#events[0]
  }

  push(event: SimulatedEvent): void {
    const events = this.#events
    let at = events.length
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = events[parentAt]!
      if (!isBefore(event, parent)) break
      events[at] = parent
      at = parentAt
    }
    events[at] = event
  }

  pop(): SimulatedEvent | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (last !== undefined && last !== first) this.#sink(last)
    return first
  }

  /** Puts `event` into the free root and lets it sink to its place. */
  #sink(event: SimulatedEvent): void {
    const events = this.#events
    const count = events.length
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      if (childAt >= count) break
      if (childAt + 1 < count && isBefore(events[childAt + 1]!, events[childAt]!)) childAt++
      const child = events[childAt]!
      if (!isBefore(child, event)) break
      events[at] = child
      at = childAt
    }
    events[at] = event
  }
}

function isBefore(one: SimulatedEvent, other: SimulatedEvent): boolean {
  if (one.timeMs !== other.timeMs) return one.timeMs < other.timeMs
  return one.sequence < other.sequence
}
