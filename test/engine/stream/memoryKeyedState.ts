// States in memory, each batch a copy of the one before: slow, and simple enough to believe.

import type { StatefulOperator } from '../../../engine/contract/statefulOperator.ts'
import type {
  KeyedState,
  StateOutputs,
  StateTimer,
  TimeDomain,
} from '../../../engine/state/keyedState.ts'

interface Version {
  readonly batchId: number
  readonly values: Map<string, unknown>
  readonly timers: Map<string, StateTimer>
}

export class MemoryKeyedState implements KeyedState {
  readonly isNew: boolean
  readonly values: Map<string, unknown>
  readonly timers: Map<string, StateTimer>
  readonly #loaded = new Set<string>()

  constructor(before?: Version) {
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
    this.timers.set(JSON.stringify(timer), timer)
  }

  deleteTimer(timer: StateTimer): void {
    this.timers.delete(JSON.stringify(timer))
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

/** In place of the stores of an executor. */
export class MemoryStates {
  /** Versions by operator and partition, oldest first; they outlive the executor. */
  readonly #contents: Map<string, Version[]>
  readonly #results = new Map<string, Promise<StateOutputs>>()

  constructor(contents: Map<string, Version[]>) {
    this.#contents = contents
  }

  advance(
    { uid }: StatefulOperator,
    partition: number,
    batchId: number,
    advance: (state: KeyedState) => Promise<StateOutputs>,
  ): Promise<StateOutputs> {
    const name = `${uid}/${partition}`
    let result = this.#results.get(name)
    if (!result) {
      result = this.#advance(name, batchId, advance)
      this.#results.set(name, result)
      result.catch(() => this.#results.delete(name))
    }
    return result
  }

  version({ uid }: StatefulOperator, partition: number): Promise<number> {
    return Promise.resolve(this.#contents.get(`${uid}/${partition}`)?.at(-1)?.batchId ?? -1)
  }

  scan(
    { uid }: StatefulOperator,
    partition: number,
    each: (key: string, value: unknown) => void,
  ): Promise<void> {
    const values = this.#contents.get(`${uid}/${partition}`)?.at(-1)?.values ?? []
    for (const [key, value] of values) each(key, structuredClone(value))
    return Promise.resolve()
  }

  forgetResults(): Promise<void> {
    this.#results.clear()
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #advance(
    name: string,
    batchId: number,
    advance: (state: KeyedState) => Promise<StateOutputs>,
  ): Promise<StateOutputs> {
    const versions = (this.#contents.get(name) ?? []).filter((version) => version.batchId < batchId)
    const state = new MemoryKeyedState(versions.at(-1))
    const outputs = await advance(state)
    const { values, timers } = state
    this.#contents.set(name, [...versions, { batchId, values, timers }])
    return outputs
  }
}
