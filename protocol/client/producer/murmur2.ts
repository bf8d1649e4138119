// MurmurHash2 with Kafka's seed, the hash by which Kafka's Java client assigns keys to partitions.
// With any other hash, producers of one topic would send equal keys to different partitions.

const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/** Returns a signed 32-bit hash, as Kafka's Java client does. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  let hash = seed ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  const rest = length - at
  if (rest > 2) hash ^= bytes[at + 2]! << 16
  if (rest > 1) hash ^= bytes[at + 1]! << 8
  if (rest > 0) hash = Math.imul(hash ^ bytes[at]!, multiplier)
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
