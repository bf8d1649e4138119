// An operator's access to the current key: its value, its timers, and the output. Valid only during
// the call that it was created for; use by a retained function throws, as it would write to an
// ended batch.

import { partOf } from '../../keys/key.ts'
import type { KeyedState, StateTimer, TimeDomain } from '../../state/keyedState.ts'

/** The batch as seen by an operator. */
export interface OperatorBatch {
  readonly batchId: number
  /** Nominal time, the same on every rerun. */
  readonly timeMs: number
  /**
   * Undefined until the topics have given an event time: until then nothing is late, and no event
   * time timer is due.
   */
  readonly watermarkMs: number | undefined
}

export type KeyOutput = (name: string, value: unknown) => void

/** The context that all keys of a partition share in a batch. */
export interface OperatorRun {
  readonly state: KeyedState
  /** Sets and deletes timers. */
  readonly timers: Pick<KeyedState, 'setTimer' | 'deleteTimer'>
  readonly batch: OperatorBatch
  readonly emit: KeyOutput
}

const largestTag = 255

export class KeyScope<Stored> {
  /** The encoded key. */
  readonly #key: string
  readonly #run: OperatorRun
  #isOver = false

  constructor(key: string, run: OperatorRun) {
    this.#key = key
    this.#run = run
  }

  get batch(): OperatorBatch {
    return this.#run.batch
  }

  /** Returns a fresh copy; undefined when the key has no value. */
  get(): Stored | undefined {
    this.#requireOpen()
    return this.#run.state.get(this.#key) as Stored | undefined
  }

  set(value: Stored): void {
    this.#requireOpen()
    this.#run.state.set(this.#key, value)
  }

  delete(): void {
    this.#requireOpen()
    this.#run.state.delete(this.#key)
  }

  /**
   * Returns a fresh copy of a part: data stored beside the key's value under a number, so that each
   * is read and written separately. Only for parts that were loaded (see KeyedOperator.duePart) or
   * set in this batch.
   */
  getPart(part: number): unknown {
    this.#requireOpen()
    return this.#run.state.get(partOf(this.#key, part))
  }

  /**
   * Does not require that the part was loaded. Deleting the key's value does not delete its parts.
   */
  setPart(part: number, value: unknown): void {
    this.#requireOpen()
    this.#run.state.set(partOf(this.#key, part), value)
  }

  deletePart(part: number): void {
    this.#requireOpen()
    this.#run.state.delete(partOf(this.#key, part))
  }

  /** A timer whose time has already come is due in this batch. */
  setTimer(domain: TimeDomain, timeMs: number, tag: number): void {
    this.#run.timers.setTimer(this.#timer(domain, timeMs, tag))
  }

  deleteTimer(domain: TimeDomain, timeMs: number, tag: number): void {
    this.#run.timers.deleteTimer(this.#timer(domain, timeMs, tag))
  }

  emit(value: unknown, output = 'main'): void {
    this.#requireOpen()
    this.#run.emit(output, value)
  }

  end(): void {
    this.#isOver = true
  }

  #timer(domain: TimeDomain, timeMs: number, tag: number): StateTimer {
    this.#requireOpen()
    if (!Number.isSafeInteger(timeMs)) {
      throw new RangeError(
        `the time of a timer must be in integer milliseconds since the epoch, not ${timeMs}`,
      )
    }
    if (!Number.isInteger(tag) || tag < 0 || tag > largestTag) {
      throw new RangeError(
        `the tag of a timer must be an integer from 0 to ${largestTag}, not ${tag}`,
      )
    }
    return { domain, timeMs, key: this.#key, tag }
  }

  #requireOpen(): void {
    if (!this.#isOver) return
    throw new Error(
      'the state of a key was used after the call that received it; a function of an operator must ' +
        'do all its work before it returns (no await), and keep nothing for later',
    )
  }
}
