// Key groups: every key is always in the same one of 1024, whatever the number of partitions, and a
// partition has a contiguous run of groups. So a state moves between numbers of partitions by whole groups.

import { hashKey, type Key } from './key.ts'

/** Also the largest number of partitions that a state can have. */
export const keyGroupCount = 1024
const keyGroupBits = 10

/** From 0 to 1023. The same in every process and release: it is part of where a key is stored. */
export function keyGroupOf(key: Key): number {
  return mixed(hashKey(key)) >>> (32 - keyGroupBits)
}

export function partitionOfGroup(group: number, partitions: number): number {
  return Math.floor((group * partitions) / keyGroupCount)
}

/** MurmurHash3's finalizer. hashKey leaves integers as they are, and groups of the low bits would be uneven. */
function mixed(hash: number): number {
  let mixing = hash ^ (hash >>> 16)
  mixing = Math.imul(mixing, 0x85ebca6b)
  mixing ^= mixing >>> 13
  mixing = Math.imul(mixing, 0xc2b2ae35)
  return (mixing ^ (mixing >>> 16)) >>> 0
}
