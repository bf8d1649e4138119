// What an operator may do to the key in hand: its value, its timers, and what is emitted. It ends with the
// call that it was made for; a function of the job that keeps it for later would write to a batch that is over.

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

const largestTag = 255

export class KeyScope<Stored> {
  readonly batch: OperatorBatch
  /** Encoded. */
  readonly #key: string
  readonly #state: KeyedState
  readonly #timers: Pick<KeyedState, 'setTimer' | 'deleteTimer'>
  readonly #output: KeyOutput
  #isOver = false

  constructor(
    key: string,
    state: KeyedState,
    timers: Pick<KeyedState, 'setTimer' | 'deleteTimer'>,
    batch: OperatorBatch,
    output: KeyOutput,
  ) {
    this.#key = key
    this.#state = state
    this.#timers = timers
    this.batch = batch
    this.#output = output
  }

  /** A fresh copy; undefined when the key has no value. */
  get(): Stored | undefined {
    this.#requireOpen()
    return this.#state.get(this.#key) as Stored | undefined
  }

  set(value: Stored): void {
    this.#requireOpen()
    this.#state.set(this.#key, value)
  }

  delete(): void {
    this.#requireOpen()
    this.#state.delete(this.#key)
  }

  /** Due in this batch when its time has come already. */
  setTimer(domain: TimeDomain, timeMs: number, tag: number): void {
    this.#timers.setTimer(this.#timer(domain, timeMs, tag))
  }

  deleteTimer(domain: TimeDomain, timeMs: number, tag: number): void {
    this.#timers.deleteTimer(this.#timer(domain, timeMs, tag))
  }

  emit(value: unknown, output = 'main'): void {
    this.#requireOpen()
    this.#output(output, value)
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
