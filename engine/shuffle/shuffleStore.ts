// The map outputs that the driver holds: all of the batch that runs, and as many of earlier ones as
// fit into a bound, because windows read them again. What is not here any more is computed again
// from its lineage, so dropping is always allowed.

import { EngineError } from '../engineError.ts'
import type { Bucket } from '../rdd/lineage.ts'

interface Output {
  readonly buckets: readonly Bucket[]
  readonly batchId: number
  readonly pairs: number
}

export class ShuffleStore {
  readonly #maxPairs: number
  /** By shuffle and map partition, oldest first. */
  readonly #outputs = new Map<string, Output>()
  #pairs = 0

  /** `maxPairs`: keys with their combined values, over all outputs. */
  constructor(maxPairs: number) {
    this.#maxPairs = maxPairs
  }

  /** Throws RESULT_TOO_LARGE when the outputs of one batch alone are more than can be held. */
  put(shuffleId: string, mapPartition: number, batchId: number, buckets: readonly Bucket[]): void {
    this.#delete(outputKey(shuffleId, mapPartition))
    const pairs = buckets.reduce((sum, { keys }) => sum + keys.length, 0)
    this.#outputs.set(outputKey(shuffleId, mapPartition), { buckets, batchId, pairs })
    this.#pairs += pairs
    if (this.#pairs > this.#maxPairs) this.#makeRoom(batchId)
  }

  /** Undefined when the output is not here any more. */
  get(shuffleId: string, mapPartition: number): readonly Bucket[] | undefined {
    return this.#outputs.get(outputKey(shuffleId, mapPartition))?.buckets
  }

  forget(shuffleId: string, mapPartitions: number): void {
    for (let at = 0; at < mapPartitions; at++) this.#delete(outputKey(shuffleId, at))
  }

  #makeRoom(currentBatchId: number): void {
    for (const [key, { batchId }] of this.#outputs) {
      if (batchId >= currentBatchId) continue
      this.#delete(key)
      if (this.#pairs <= this.#maxPairs) return
    }
    if (this.#pairs <= this.#maxPairs) return
    throw new EngineError(
      'RESULT_TOO_LARGE',
      `a batch shuffles more than ${this.#maxPairs} pairs: reduce by key before they are grouped or ` +
        'joined, or let a batch read fewer records',
    )
  }

  #delete(key: string): void {
    this.#pairs -= this.#outputs.get(key)?.pairs ?? 0
    this.#outputs.delete(key)
  }
}

function outputKey(shuffleId: string, mapPartition: number): string {
  return `${shuffleId}/${mapPartition}`
}
