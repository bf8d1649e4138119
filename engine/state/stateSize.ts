// What values add to the size of a state. The size changes by the values that a batch changes, so that it is
// known exactly and nothing has to be read for it. Counted in place: a batch may change very many values.

import { partNamed } from '../rdd/key.ts'
import type { HeldValue } from './heldValue.ts'

export class StateGrowth {
  rows = 0
  bytes = 0

  /** `name` is the encoded key or the name of a part; null stands for no value. */
  change(name: string, before: HeldValue | null, after: HeldValue | null): void {
    if (before !== null && after !== null) this.bytes += after.length - before.length
    else if (after !== null) this.#count(name, after, 1)
    else if (before !== null) this.#count(name, before, -1)
  }

  #count(name: string, value: HeldValue, sign: 1 | -1): void {
    if (partNamed(name) === undefined) this.rows += sign
    this.bytes += sign * (Buffer.byteLength(name) + value.length)
  }
}
