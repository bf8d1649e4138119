// Fires the due timers of a partition until none is due. A handler may set and delete timers of its
// key: a new timer fires in order, and a deleted timer does not fire, even if it was already taken
// from the state together with the timer being handled.

import type { StatefulOperator } from '../../contract/statefulOperator.ts'
import { EngineError } from '../../engineError.ts'
import { decodeKey } from '../../keys/key.ts'
import type { KeyedState, StateTimer, TimeDomain } from '../../state/keyedState.ts'
import { excerpt } from '../../userCode.ts'
import type { OperatorBatch } from './keyScope.ts'

/** Timers taken from the state at once. */
const timersAtOnce = 1000
/**
 * Maximum timers of one key that fire in a batch without advancing in time: a timer that sets
 * another one for the same time or earlier would never end. A timer that sets the next one for a
 * later time ends, however many are due after a pause.
 */
const mostTimersOfKey = 1_000_000

type Timers = Pick<KeyedState, 'setTimer' | 'deleteTimer'>
/** The timers of a state; taking them loads the values that their handlers need. */
export type TimerState = Timers & Pick<KeyedState, 'takeTimers'>

/**
 * Event time timers are due up to the watermark, processing time timers up to the time of the
 * batch.
 */
export async function fireDueTimers(
  state: TimerState,
  batch: OperatorBatch,
  operator: StatefulOperator,
  fire: (timer: StateTimer, timers: Timers) => void,
  limit = mostTimersOfKey,
): Promise<void> {
  const fired = new Map<string, FiredTimers>()
  const counted = (timer: StateTimer, timers: Timers) => {
    const ofKey = fired.get(timer.key) ?? { event: -Infinity, processing: -Infinity, count: 0 }
    if (ofKey.count === 0) fired.set(timer.key, ofKey)
    ofKey.count = timer.timeMs > ofKey[timer.domain] ? 1 : ofKey.count + 1
    ofKey[timer.domain] = Math.max(ofKey[timer.domain], timer.timeMs)
    if (ofKey.count > limit) throw endless(operator, timer.key, limit)
    fire(timer, timers)
  }
  const until: [TimeDomain, number | undefined][] = [
    ['event', batch.watermarkMs],
    ['processing', batch.timeMs],
  ]
  for (let hasFired = true; hasFired; ) {
    hasFired = false
    for (const [domain, untilMs] of until) {
      if (untilMs === undefined) continue
      if (await fireDomain(state, domain, untilMs, counted)) hasFired = true
    }
  }
}

/**
 * The progress of one key: the latest time per domain, and the number of timers fired since one of
 * these times last advanced.
 */
type FiredTimers = Record<TimeDomain, number> & { count: number }

/** Returns whether any timer was due. */
async function fireDomain(
  state: TimerState,
  domain: TimeDomain,
  untilMs: number,
  fire: (timer: StateTimer, timers: Timers) => void,
): Promise<boolean> {
  for (let hasFired = false; ; hasFired = true) {
    const taken = await state.takeTimers(domain, untilMs, timersAtOnce)
    if (taken.length === 0) return hasFired
    const queue = new TakenTimers(state, taken)
    for (let timer = queue.next(); timer; timer = queue.next()) fire(timer, queue)
  }
}

/** Timers that were taken from the state and have not fired yet. */
class TakenTimers implements Timers {
  readonly #state: Timers
  readonly #waiting: StateTimer[]
  readonly #last: StateTimer
  #at = 0

  constructor(state: Timers, taken: readonly StateTimer[]) {
    this.#state = state
    // The state sorts keys by bytes, this order by strings: similar, but not the same.
    this.#waiting = taken.toSorted(compareTimers)
    this.#last = this.#waiting.at(-1)!
  }

  next(): StateTimer | undefined {
    return this.#waiting[this.#at++]
  }

  setTimer(timer: StateTimer): void {
    if (timer.domain !== this.#last.domain || compareTimers(timer, this.#last) > 0) {
      this.#state.setTimer(timer)
      return
    }
    this.#state.deleteTimer(timer)
    const at = this.#place(timer)
    const there = this.#waiting[at]
    if (there === undefined || compareTimers(there, timer) !== 0) this.#waiting.splice(at, 0, timer)
  }

  deleteTimer(timer: StateTimer): void {
    this.#state.deleteTimer(timer)
    if (timer.domain !== this.#last.domain) return
    const at = this.#place(timer)
    const there = this.#waiting[at]
    if (there !== undefined && compareTimers(there, timer) === 0) this.#waiting.splice(at, 1)
  }

  /** Index of the first pending timer that does not sort before `timer`. */
  #place(timer: StateTimer): number {
    let from = this.#at
    let until = this.#waiting.length
    while (from < until) {
      const middle = (from + until) >> 1
      if (compareTimers(this.#waiting[middle]!, timer) < 0) from = middle + 1
      else until = middle
    }
    return from
  }
}

function compareTimers(one: StateTimer, other: StateTimer): number {
  if (one.timeMs !== other.timeMs) return one.timeMs - other.timeMs
  if (one.key !== other.key) return one.key < other.key ? -1 : 1
  return one.tag - other.tag
}

function endless({ kind, uid }: StatefulOperator, key: string, limit: number): EngineError {
  const problem = `more than ${limit} timers of ${kind} '${uid}' fired in one batch without advancing in time`
  const advice = 'let handleTimer set timers only for later times than that of the timer it handles'
  return new EngineError(
    'USER_CODE_FAILED',
    `${problem}, at key ${excerpt(String(decodeKey(key)))}: ${advice}`,
    undefined,
    `${problem}: ${advice}`,
  )
}
