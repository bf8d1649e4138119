// The single value per key that updateStateByKey, mapWithState and transformWithState store, with
// the time of its last update if values expire. A value expires at a nominal time, not when it is
// read: an expired value is not visible to input in the first batch after a pause.

import type { StatefulOperator } from '../../contract/statefulOperator.ts'
import { EngineError } from '../../engineError.ts'
import type { StateTimer } from '../../state/keyedState.ts'
import type { StateCodec } from '../../state/stateCodec.ts'
import { v8Codec } from '../../state/v8Codec.ts'
import type { KeyScope } from './keyScope.ts'

/**
 * The stored form. The times are present when values expire: of the last touch, and of the timer.
 * One timer per key is enough: it is moved when it fires, not at every touch.
 */
export type Kept<S> = readonly [value: S, touchedMs?: number, timerMs?: number]

/** Jobs use the tags below it for their own timers. */
export const expiryTag = 255

export class KeptValues<S> {
  /** Time after its last touch at which a value expires, in ms; undefined for never. */
  readonly #expireMs: number | undefined

  constructor(expireMs: number | undefined) {
    this.#expireMs = expireMs
  }

  /** Returns the value of the key; undefined for none or an expired one. */
  get(scope: KeyScope<Kept<S>>): S | undefined {
    const kept = scope.get()
    return kept === undefined || this.#isOver(kept, scope) ? undefined : kept[0]
  }

  /** Returns the value of a key that has expired and has not been removed yet. */
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
    // A later timer belongs to a longer expiry that the code had before; an earlier one moves
    // itself.
    const isSet = timerMs !== undefined && timerMs > timeMs && timerMs <= dueMs
    if (!isSet) scope.setTimer('processing', dueMs, expiryTag)
    scope.set([value, timeMs, isSet ? timerMs : dueMs])
  }

  /** Marks a value as touched without changing it. */
  touch(scope: KeyScope<Kept<S>>): void {
    const kept = scope.get()
    if (kept && this.#expireMs !== undefined) this.set(scope, kept[0])
  }

  delete(scope: KeyScope<Kept<S>>): void {
    scope.delete()
  }

  /** Handles a timer with `expiryTag`; removes and returns the value if it has expired. */
  expire(timer: StateTimer, scope: KeyScope<Kept<S>>): { readonly value: S } | undefined {
    const kept = scope.get()
    // The timer is left from a removed value of the key, or from another expiry.
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

/** Returns the codec of kept values, which has the name of the codec of the values themselves. */
export function keptCodec<S>(codec: StateCodec<S> = v8Codec as StateCodec<S>): StateCodec {
  return {
    name: codec.name,
    encode: (kept) => encodeKept(codec, kept as Kept<S>),
    decode: (bytes) => decodeKept(codec, bytes),
  }
}

const timesBytes = 16

/** A byte that tells whether the times follow, the times, and the value. */
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

/** About 3,000 years: the sum of a time and a duration is still a safe integer. */
export const longestMs = 1e14

/** Throws unless it is undefined or a positive integer. */
export function requireDuration(
  operator: string,
  option: string,
  givenMs: number | undefined,
): void {
  if (givenMs === undefined) return
  if (Number.isInteger(givenMs) && givenMs > 0 && givenMs <= longestMs) return
  throw new EngineError(
    'JOB_GRAPH_INVALID',
    `${option} of ${operator} must be a positive integer up to ${longestMs}, not ${givenMs}`,
  )
}

/** Makes queries of the state show the value without its times. */
export function shownOfKept(contract: StatefulOperator): StatefulOperator {
  return { ...contract, shown: (kept) => (kept as Kept<unknown>)[0] }
}
