// The one value that updateStateByKey, mapWithState and transformWithState keep of a key, with the time of
// its last touch where values expire. A value expires at a nominal time and not when somebody looks: one
// whose time has passed is gone, also to input that comes in the first batch after a pause.

import type { StatefulOperator } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { StateTimer } from '../state/keyedState.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import { v8Codec } from '../state/v8Codec.ts'
import type { KeyScope } from './keyScope.ts'

/**
 * As the state has it. The times are there when values expire: of the last touch, and of the timer that is
 * set. One timer a key is enough: it is moved when it fires, and not with every touch.
 */
export type Kept<S> = readonly [value: S, touchedMs?: number, timerMs?: number]

/** Jobs have the tags below it for their own timers. */
export const expiryTag = 255

export class KeptValues<S> {
  /** How long after its last touch a value is gone; undefined for never. */
  readonly #expireMs: number | undefined

  constructor(expireMs: number | undefined) {
    this.#expireMs = expireMs
  }

  /** The value of the key, unless there is none or its time has passed. */
  get(scope: KeyScope<Kept<S>>): S | undefined {
    const kept = scope.get()
    return kept === undefined || this.#isOver(kept, scope) ? undefined : kept[0]
  }

  /** The value of a key whose time has passed while nothing has removed it. */
  expired(scope: KeyScope<Kept<S>>): { readonly value: S } | undefined {
    const kept = scope.get()
    return kept && this.#isOver(kept, scope) ? { value: kept[0] } : undefined
  }

  /** Counts as a touch. */
  set(scope: KeyScope<Kept<S>>, value: S): void {
    if (this.#expireMs === undefined) {
      scope.set([value])
      return
    }
    const { timeMs } = scope.batch
    const dueMs = timeMs + this.#expireMs
    const timerMs = scope.get()?.[2]
    // A later timer is of a longer expiry, which the code had before; an earlier one moves itself.
    const isSet = timerMs !== undefined && timerMs > timeMs && timerMs <= dueMs
    if (!isSet) scope.setTimer('processing', dueMs, expiryTag)
    scope.set([value, timeMs, isSet ? timerMs : dueMs])
  }

  /** Touches a value that stays as it is. */
  touch(scope: KeyScope<Kept<S>>): void {
    const kept = scope.get()
    if (kept && this.#expireMs !== undefined) this.set(scope, kept[0])
  }

  delete(scope: KeyScope<Kept<S>>): void {
    scope.delete()
  }

  /** What a timer with `expiryTag` does; returns the value that has expired, which is removed. */
  expire(timer: StateTimer, scope: KeyScope<Kept<S>>): { readonly value: S } | undefined {
    const kept = scope.get()
    // Of an earlier life of the key, or of another expiry.
    if (kept?.[2] !== timer.timeMs || this.#expireMs === undefined) return undefined
    const [value, touchedMs = timer.timeMs] = kept
    const dueMs = touchedMs + this.#expireMs
    if (dueMs > scope.batch.timeMs) {
      scope.setTimer('processing', dueMs, expiryTag)
      scope.set([value, touchedMs, dueMs])
      return undefined
    }
    scope.delete()
    return { value }
  }

  #isOver([, touchedMs]: Kept<S>, { batch }: KeyScope<Kept<S>>): boolean {
    if (this.#expireMs === undefined || touchedMs === undefined) return false
    return touchedMs + this.#expireMs <= batch.timeMs
  }
}

/** The codec of kept values, which is known by the name of the codec of the values themselves. */
export function keptCodec<S>(codec: StateCodec<S> = v8Codec as StateCodec<S>): StateCodec {
  return {
    name: codec.name,
    encode: (kept) => encodeKept(codec, kept as Kept<S>),
    decode: (bytes) => decodeKept(codec, bytes),
  }
}

const timesBytes = 16

/** A byte that says whether the times follow, the times, and the value. */
function encodeKept<S>(codec: StateCodec<S>, [value, touchedMs, timerMs]: Kept<S>): Uint8Array {
  const encoded = codec.encode(value)
  const head = touchedMs === undefined ? 1 : 1 + timesBytes
  const bytes = new Uint8Array(head + encoded.length)
  bytes.set(encoded, head)
  if (touchedMs === undefined || timerMs === undefined) return bytes
  bytes[0] = 1
  const view = new DataView(bytes.buffer)
  view.setFloat64(1, touchedMs)
  view.setFloat64(1 + timesBytes / 2, timerMs)
  return bytes
}

function decodeKept<S>(codec: StateCodec<S>, bytes: Uint8Array): Kept<S> {
  if (bytes[0] === 0) return [codec.decode(bytes.subarray(1))]
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const value = codec.decode(bytes.subarray(1 + timesBytes))
  return [value, view.getFloat64(1), view.getFloat64(1 + timesBytes / 2)]
}

/** Some 3,000 years: a time and a duration make a time that is still a whole number. */
export const longestMs = 1e14

/** Throws unless it is a positive number of whole milliseconds, or undefined. */
export function requireDuration(
  operator: string,
  option: string,
  givenMs: number | undefined,
): void {
  if (givenMs === undefined) return
  if (Number.isInteger(givenMs) && givenMs > 0 && givenMs <= longestMs) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${operator} takes ${option} as a positive number of whole milliseconds up to ${longestMs}, not ${givenMs}`,
  )
}

/** What a query of the state sees of a kept value. */
export function shownOfKept(contract: StatefulOperator): StatefulOperator {
  return { ...contract, shown: (kept) => (kept as Kept<unknown>)[0] }
}
