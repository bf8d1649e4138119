// How much one value adds to the size of a state. The size changes by the values that a batch changes, so
// that it is known exactly and nothing has to be read for it.

import { partNamed } from '../rdd/key.ts'
import type { HeldValue } from './heldValue.ts'
import type { StateSize } from './stateVersion.ts'

/** The size of a state that has this value alone, under the encoded key or the name of a part. */
export function sizeOfValue(name: string, value: HeldValue): StateSize {
  const rows = partNamed(name) === undefined ? 1 : 0
  return { rows, bytes: Buffer.byteLength(name) + value.length }
}

/** By how much a change lets a state grow; null where there is no value. */
export function growth(name: string, before: HeldValue | null, after: HeldValue | null): StateSize {
  if (before !== null && after !== null) return { rows: 0, bytes: after.length - before.length }
  if (after !== null) return sizeOfValue(name, after)
  if (before === null) return { rows: 0, bytes: 0 }
  const { rows, bytes } = sizeOfValue(name, before)
  return { rows: -rows, bytes: -bytes }
}
