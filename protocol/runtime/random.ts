// Randomness as a thing that is handed in, so that one seed is one history.

import { randomBytes, randomFillSync } from 'node:crypto'

export interface Random {
  /** An integer in [0, 2^32). */
  uint32(): number
  /** A number in [0, 1). */
  float(): number
  /** An integer in [0, bound); `bound` from 1 to 2^32. */
  below(bound: number): number
  /** `length` random bytes, newly allocated. */
  bytes(length: number): Buffer
  /**
   * A generator of its own for the part that `label` names: what one part draws does not shift the sequence
   * of another. For a seeded generator it depends on the seed, the label and how often that label was
   * forked before (a part that restarts gets new ids), and not on what was drawn.
   */
  fork(label: string): Random
}

/** Cryptographic randomness from the machine, drawn in blocks. */
export function systemRandom(): Random {
  const pool = Buffer.alloc(4096)
  let at = pool.length
  const uint32 = () => {
    if (at === pool.length) {
      randomFillSync(pool)
      at = 0
    }
    at += 4
    return pool.readUInt32LE(at - 4)
  }
  // Megabytes are asked for too (to fill files): byte by byte they would hold up everything else.
  const random: Random = {
    ...drawsOf(uint32),
    bytes: (length) => randomBytes(length),
    // Nobody can tell the sequences of one cryptographic generator apart.
    fork: () => random,
  }
  return random
}

/** A reproducible generator (splitmix32): the same seed gives the same sequence everywhere. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const forks = new Map<string, number>()
  const draws = drawsOf(() => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  })
  return {
    ...draws,
    fork(label) {
      const count = forks.get(label) ?? 0
      forks.set(label, count + 1)
      return seededRandom(mixed(`${seed >>> 0}/${label}/${count}`))
    },
  }
}

/** FNV-1a with a final mix: texts that differ in their last character give seeds that differ everywhere. */
function mixed(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad)
  return (hash ^ (hash >>> 15)) >>> 0
}

/** A random (version 4) UUID as 16 bytes. */
export function randomUuid(random: Random): Buffer {
  const uuid = random.bytes(16)
  uuid[6] = (uuid[6]! & 0x0f) | 0x40
  uuid[8] = (uuid[8]! & 0x3f) | 0x80
  return uuid
}

function drawsOf(uint32: () => number): Omit<Random, 'fork'> {
  return {
    uint32,
    float: () => uint32() / 2 ** 32,
    below: (bound) => Math.floor((uint32() / 2 ** 32) * bound),
    bytes(length) {
      const bytes = Buffer.alloc(length)
      for (let at = 0; at < length; at++) bytes[at] = uint32() & 0xff
      return bytes
    },
  }
}
