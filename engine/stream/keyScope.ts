// What an operator may do to the key in hand: its value, its timers, and what is emitted. It ends with the
// call that it was made for; a function of the job that keeps it for later would write to a batch that is over.

import { partOf } from '../rdd/key.ts'
import type { KeyedState, StateTimer, TimeDomain } from '../state/keyedState.ts'

/** The batch as an operator sees it. */
export interface OperatorBatch {
  readonly batchId: number
  /** Nominal: the same on every rerun. */
  readonly timeMs: number
  /** Undefined until the topics have given a time: nothing is late then, and no event timer is due. */
  readonly watermarkMs: number | undefined
}

export type KeyOutput = (name: string, value: unknown) => void

/** What all keys of a partition have in common in a batch. */
export interface OperatorRun {
  readonly state: KeyedState
  /** Where timers are set and deleted. */
  readonly timers: Pick<KeyedState, 'setTimer' | 'deleteTimer'>
  readonly batch: OperatorBatch
  readonly emit: KeyOutput
}

const largestTag = 255

export class KeyScope<Stored> {
  /** Encoded. */
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

  /** A fresh copy; undefined when the key has no value. */
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
   * What is kept apart from the key's value under a number, so that neither costs when the other is read or
   * written: a fresh copy. Only for parts that were loaded (see KeyedOperator.duePart) or set in this batch.
   */
  getPart(part: number): unknown {
    this.#requireOpen()
    return this.#run.state.get(partOf(this.#key, part))
  }

  /** A part need not be loaded for that. Deleting the key's value does not delete its parts. */
  setPart(part: number, value: unknown): void {
    this.#requireOpen()
    this.#run.state.set(partOf(this.#key, part), value)
  }

  deletePart(part: number): void {
    this.#requireOpen()
    this.#run.state.delete(partOf(this.#key, part))
  }

  /** Due in this batch when its time has come already. */
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
      throw new RangeError(`a timer takes whole milliseconds since the epoch, not ${timeMs}`)
    }
    if (!Number.isInteger(tag) || tag < 0 || tag > largestTag) {
      throw new RangeError(
        `the tag of a timer is a whole number from 0 to ${largestTag}, not ${tag}`,
      )
    }
    return { domain, timeMs, key: this.#key, tag }
  }

  #requireOpen(): void {
    if (!this.#isOver) return
    throw new Error(
      'the state of a key is used after the call that it was handed to: a function of an operator must ' +
        'do its work before it returns (no await), and keep nothing for later',
    )
  }
}
