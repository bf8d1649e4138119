// Assigns keys to partitions. RDDs with equal partitioners can be joined, reduced or turned into
// state without a shuffle, so equality is part of the contract.

import { hashKey, type Key } from './key.ts'
import { keyGroupCount, keyGroupOf, partitionOfGroup } from './keyGroup.ts'

export interface Partitioner {
  readonly partitionCount: number
  partitionOf(key: Key): number
  equals(other: Partitioner | undefined): boolean
}

/** Spark's HashPartitioner: null belongs to 0, and the remainder is never negative. */
export class HashPartitioner implements Partitioner {
  readonly partitionCount: number

  constructor(partitionCount: number) {
    if (!Number.isInteger(partitionCount) || partitionCount < 1) {
      throw new RangeError(`a partitioner needs at least one partition, not ${partitionCount}`)
    }
    this.partitionCount = partitionCount
  }

  partitionOf(key: Key): number {
    const remainder = hashKey(key) % this.partitionCount
    return remainder < 0 ? remainder + this.partitionCount : remainder + 0
  }

  equals(other: Partitioner | undefined): boolean {
    return other instanceof HashPartitioner && other.partitionCount === this.partitionCount
  }
}

/**
 * Gives each partition a range of key groups. Used by streams, so that their state can be
 * redistributed.
 */
export class KeyGroupPartitioner implements Partitioner {
  readonly partitionCount: number

  constructor(partitionCount: number) {
    const isPossible = Number.isInteger(partitionCount) && partitionCount >= 1
    if (!isPossible || partitionCount > keyGroupCount) {
      throw new RangeError(
        `a partitioner by key groups needs 1 to ${keyGroupCount} partitions, not ${partitionCount}`,
      )
    }
    this.partitionCount = partitionCount
  }

  partitionOf(key: Key): number {
    return partitionOfGroup(keyGroupOf(key), this.partitionCount)
  }

  equals(other: Partitioner | undefined): boolean {
    return other instanceof KeyGroupPartitioner && other.partitionCount === this.partitionCount
  }
}

/**
 * The partitioner of streams. More partitions than key groups are possible only without key groups.
 */
export function byKeyGroups(partitions: number): Partitioner {
  return partitions > keyGroupCount
    ? new HashPartitioner(partitions)
    : new KeyGroupPartitioner(partitions)
}
