// The state of a partition in memory: slow, and simple enough to be trusted. A batch starts with a
// copy of the previous one.

import type { KeyedState, StateTimer, TimeDomain } from '../../../engine/state/keyedState.ts'

export class MemoryKeyedState implements KeyedState {
  readonly isNew: boolean
  readonly values: Map<string, unknown>
  readonly timers: Map<string, StateTimer>
  readonly #loaded = new Set<string>()

  constructor(before?: MemoryKeyedState) {
    this.isNew = before === undefined
    this.values = new Map(before?.values)
    this.timers = new Map(before?.timers)
  }

  load(keys: Iterable<string>): Promise<void> {
    for (const key of keys) this.#loaded.add(key)
    return Promise.resolve()
  }

  get(key: string): unknown {
    if (!this.#loaded.has(key)) throw new Error(`key ${key} was not loaded`)
    return structuredClone(this.values.get(key))
  }

  set(key: string, value: unknown): void {
    this.#loaded.add(key)
    this.values.set(key, structuredClone(value))
  }

  delete(key: string): void {
    this.#loaded.add(key)
    this.values.delete(key)
  }

  setTimer(timer: StateTimer): void {
    this.timers.set(nameOf(timer), timer)
  }

  deleteTimer(timer: StateTimer): void {
    this.timers.delete(nameOf(timer))
  }

  async takeTimers(domain: TimeDomain, untilMs: number, limit: number): Promise<StateTimer[]> {
    const due = [...this.timers.values()]
      .filter((timer) => timer.domain === domain && timer.timeMs <= untilMs)
      .sort(
        (one, other) =>
          one.timeMs - other.timeMs ||
          Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)) ||
          one.tag - other.tag,
      )
      .slice(0, limit)
    for (const timer of due) this.deleteTimer(timer)
    await this.load(due.map(({ key }) => key))
    return due
  }
}

function nameOf({ domain, timeMs, key, tag }: StateTimer): string {
  return JSON.stringify([domain, timeMs, key, tag])
}
