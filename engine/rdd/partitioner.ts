// Which partition a key belongs to. Two RDDs with equal partitioners can be joined, reduced or
// turned into state without moving anything, so equality is part of the contract.

import { hashKey, type Key } from './key.ts'

export interface Partitioner {
  readonly partitionCount: number
  partitionOf(key: Key): number
  equals(other: Partitioner | undefined): boolean
}

/** Spark's HashPartitioner: null goes to 0, and the remainder is never negative. */
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
