// The interface to randomness, passed in through constructors, so that a seed determines a run.

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
   * Returns an independent generator for the component named `label`, so that the draws of one
   * component do not shift the sequence of another. A fork of a seeded generator depends on the
   * seed, the label and the number of earlier forks with that label (a component that restarts
   * draws new ids), not on earlier draws.
   */
  fork(label: string): Random
}

/** Returns the cryptographic random generator of the system, read in blocks. */
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
  // `bytes` is also used for megabytes (to fill files), which would take too long byte by byte.
  const random: Random = {
    ...drawsOf(uint32),
    bytes: (length) => randomBytes(length),
    // The sequences of a cryptographic generator are independent without a fork.
    fork: () => random,
  }
  return random
}

/**
 * Returns a reproducible generator (splitmix32): equal seeds give equal sequences on every
 * platform.
 */
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

/** FNV-1a with a final mix, so that labels that differ in one character give unrelated seeds. */
function mixed(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad)
  return (hash ^ (hash >>> 15)) >>> 0
}

/** Returns a random (version 4) UUID as 16 bytes. */
export function randomUuid(random: Random): Buffer {
  const uuid = random.bytes(16)
  uuid[6] = (uuid[6]! & 0x0f) | 0x40
  uuid[8] = (uuid[8]! & 0x3f) | 0x80
  return uuid
}

/** Returns a UUID in its usual form of 36 characters. */
export function uuidText(uuid: Uint8Array): `${string}-${string}-${string}-${string}-${string}` {
  const hex = Buffer.from(uuid.buffer, uuid.byteOffset, uuid.length).toString('hex')
  const part = (from: number, until: number) => hex.slice(from, until)
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`
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
