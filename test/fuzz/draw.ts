// The choices of the fuzzer: everything is drawn from one seeded generator, so that a seed
// determines the whole history.

import type { Random } from '../../protocol/runtime/random.ts'

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)]!
}

/** Returns true once in `count` times. */
export function oneIn(random: Random, count: number): boolean {
  return random.below(count) === 0
}

const near32 = [0, 1, -1, -2, 2, 7, 127, 128, 255, 256, 32_767, 32_768, 65_536, 0x7ffffffe]
const far32 = [0x7fffffff, -0x80000000, -0x7fffffff, 0x10000000]

/** Returns a 32-bit integer that a careless decoder would mishandle. */
export function trickyInt32(random: Random): number {
  if (oneIn(random, 6)) return random.uint32() | 0
  return pick(random, oneIn(random, 3) ? far32 : near32)
}

const tricky64 = [
  0n,
  1n,
  -1n,
  -2n,
  -3n,
  -4n,
  -5n,
  100n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 31n),
  -(2n ** 53n),
  -(2n ** 63n),
]

/** Returns eight bytes, also of integers beyond the safe range. */
export function trickyInt64(random: Random): Buffer {
  if (oneIn(random, 6)) return random.bytes(8)
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(pick(random, tricky64))
  return bytes
}

/** Returns a varint that is valid, not minimal, too long, or unterminated. */
export function trickyVarint(random: Random, value: number): Buffer {
  switch (random.below(6)) {
    case 0:
      return padded(value, 5)
    case 1:
      return padded(value, 6 + random.below(6))
    case 2:
      return Buffer.alloc(1 + random.below(11), 0xff)
    case 3:
      return Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f])
    default:
      return uvarint(value)
  }
}

/** Returns the minimal form of the number; a negative number as its 32 bits. */
export function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value >>> 0
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** Returns a form that is not minimal: continued with groups of zeros. */
function padded(value: number, length: number): Buffer {
  const shortest = uvarint(value)
  if (shortest.length >= length) return shortest
  const bytes = Buffer.alloc(length, 0x80)
  shortest.copy(bytes)
  bytes[shortest.length - 1]! |= 0x80
  bytes[length - 1] = 0
  return bytes
}
