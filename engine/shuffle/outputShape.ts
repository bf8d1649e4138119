// Estimates the memory size of a map output, and computes a checksum that detects when a recomputed
// output differs. Both use a sample of the pairs, so that they are cheap compared to computing the
// output; the number of pairs in each bucket always counts.

import type { Bucket } from '../rdd/lineage.ts'

/** Pairs sampled, over all buckets. */
const sampledForSize = 64
const sampledForChecksum = 512
/** Values sampled within one value. */
const mostNodes = 64
const deepest = 6

export interface OutputShape {
  readonly pairs: number
  /** Estimated size in memory. */
  readonly bytes: number
  /**
   * Checksum of a sample: equal outputs have equal checksums; outputs that differ in most pairs do
   * not.
   */
  readonly checksum: number
}

export function shapeOf(buckets: readonly Bucket[]): OutputShape {
  const pairs = buckets.reduce((sum, { keys }) => sum + keys.length, 0)
  return { pairs, bytes: sizeOf(buckets, pairs), checksum: checksumOf(buckets, pairs) }
}

function sizeOf(buckets: readonly Bucket[], pairs: number): number {
  let sampled = 0
  let bytes = 0
  sample(buckets, pairs, sampledForSize, (key, value) => {
    sampled++
    bytes += 16 + new Visit().size(key) + new Visit().size(value)
  })
  return sampled === 0 ? 0 : Math.ceil((bytes / sampled) * pairs)
}

function checksumOf(buckets: readonly Bucket[], pairs: number): number {
  const hash = new Hash()
  for (const { keys } of buckets) hash.addNumber(keys.length)
  sample(buckets, pairs, sampledForChecksum, (key, value) => {
    new Visit().hash(key, hash)
    new Visit().hash(value, hash)
  })
  return hash.value
}

/** Visits every pair of a small output, or else evenly spaced pairs. */
function sample(
  buckets: readonly Bucket[],
  pairs: number,
  most: number,
  each: (key: unknown, value: unknown) => void,
): void {
  const step = Math.max(1, Math.floor(pairs / most))
  let at = 0
  for (const { keys, values } of buckets) {
    for (; at < keys.length; at += step) each(keys[at], values[at])
    at -= keys.length
  }
}

/** A traversal of one value, bounded in the number of nodes. */
class Visit {
  #nodes = 0

  size(value: unknown, depth = 0): number {
    if (typeof value === 'string') return 16 + 2 * value.length
    if (typeof value !== 'object' || value === null) return 12
    if (ArrayBuffer.isView(value)) return 96 + value.byteLength
    if (depth >= deepest || ++this.#nodes > mostNodes) return 64
    const parts = partsOf(value)
    let bytes = 48
    let seen = 0
    for (const part of parts.first) {
      bytes += 8 + this.size(part, depth + 1)
      seen++
    }
    return seen === 0 ? bytes : bytes + ((bytes - 48) / seen) * (parts.count - seen)
  }

  hash(value: unknown, into: Hash, depth = 0): void {
    if (typeof value === 'number') into.addNumber(value)
    else if (typeof value === 'string') into.addText(value)
    else if (typeof value !== 'object' || value === null) {
      into.addText(`${typeof value} ${String(value)}`)
    } else if (value instanceof Date) into.addNumber(value.getTime())
    else this.#hashParts(value, into, depth)
  }

  #hashParts(value: object, into: Hash, depth: number): void {
    if (depth >= deepest || ++this.#nodes > mostNodes) return
    const { first, count } = partsOf(value)
    into.addNumber(count)
    for (const part of first) this.hash(part, into, depth + 1)
  }
}

/** The first elements, entries or fields of an object, and their total number. */
function partsOf(value: object): { readonly first: readonly unknown[]; readonly count: number } {
  const most = 16
  if (Array.isArray(value)) return { first: value.slice(0, most), count: value.length }
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    return { first: [...bytes.subarray(0, most)], count: bytes.length }
  }
  if (value instanceof Map || value instanceof Set) {
    const first: unknown[] = []
    for (const each of value) {
      if (first.push(each) >= most) break
    }
    return { first, count: value.size }
  }
  const entries = Object.entries(value)
  return { first: entries.slice(0, most), count: entries.length }
}

/** FNV-1a over 32-bit words. */
class Hash {
  value = 0x811c9dc5
  readonly #float = new Float64Array(1)
  readonly #words = new Uint32Array(this.#float.buffer)

  addNumber(number: number): void {
    // As a float, so that the internal representation of the number does not matter.
    this.#float[0] = number
    this.#add(this.#words[0]!)
    this.#add(this.#words[1]!)
  }

  addText(text: string): void {
    this.#add(text.length)
    for (let at = 0; at < text.length; at++) this.#add(text.charCodeAt(at))
  }

  #add(word: number): void {
    this.value = Math.imul(this.value ^ word, 0x01000193) >>> 0
  }
}
