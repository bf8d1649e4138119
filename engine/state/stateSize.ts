// The growth of a state's size. Updated with each value that a batch changes, so that the size is
// exact and nothing has to be read for it. Mutable, because a batch may change very many values.

import { partNamed } from '../keys/key.ts'
import type { HeldValue } from './heldValue.ts'

export class StateGrowth {
  rows = 0
  bytes = 0

  /** `name` is an encoded key or the name of a part; null stands for no value. */
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
