// Key groups: every key always belongs to the same one of 1024 groups, whatever the number of
// partitions, and a partition has a contiguous range of groups. So state is redistributed by whole
// groups.

import { hashKey, type Key } from './key.ts'

/** Also the maximum number of partitions of a state. */
export const keyGroupCount = 1024
const keyGroupBits = 10

/**
 * Returns 0 to 1023. Must be the same in every process and release: it is part of where a key is
 * stored.
 */
export function keyGroupOf(key: Key): number {
  return mixed(hashKey(key)) >>> (32 - keyGroupBits)
}

export function partitionOfGroup(group: number, partitions: number): number {
  return Math.floor((group * partitions) / keyGroupCount)
}

/**
 * MurmurHash3's finalizer. hashKey returns integers unchanged, and their low bits would be unevenly
 * distributed.
 */
function mixed(hash: number): number {
  let mixing = hash ^ (hash >>> 16)
  mixing = Math.imul(mixing, 0x85ebca6b)
  mixing ^= mixing >>> 13
  mixing = Math.imul(mixing, 0xc2b2ae35)
  return (mixing ^ (mixing >>> 16)) >>> 0
}
