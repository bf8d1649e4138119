// Tracks which map outputs of which shuffles exist, and where. A reduce task can start when every
// map partition of its shuffles has a holder.

import { assert } from '../../protocol/runtime/assert.ts'

/**
 * The holder of an output: an executor, by its slot, or the driver, which outlives all executors.
 */
export type OutputHolder = number | 'driver'

export class MapOutputTracker {
  readonly #shuffles = new Map<string, (OutputHolder | undefined)[]>()

  /**
   * Registers a shuffle. A shuffle that is already registered keeps its outputs, so that a later
   * job reuses them.
   */
  register(shuffleId: string, mapPartitions: number): void {
    if (this.#shuffles.has(shuffleId)) return
    this.#shuffles.set(shuffleId, new Array(mapPartitions).fill(undefined))
  }

  add(shuffleId: string, mapPartition: number, holder: OutputHolder): void {
    const outputs = this.#shuffles.get(shuffleId)
    assert(
      outputs && mapPartition < outputs.length,
      `map partition ${mapPartition} of ${shuffleId} is not registered`,
    )
    outputs[mapPartition] = holder
  }

  /** Returns false when the output was not registered. */
  remove(shuffleId: string, mapPartition: number): boolean {
    const outputs = this.#shuffles.get(shuffleId)
    if (outputs?.[mapPartition] === undefined) return false
    outputs[mapPartition] = undefined
    return true
  }

  removeHolder(holder: OutputHolder): void {
    for (const outputs of this.#shuffles.values()) {
      for (const [at, held] of outputs.entries()) if (held === holder) outputs[at] = undefined
    }
  }

  /** Map partitions of a registered shuffle that have no output. */
  missing(shuffleId: string): number[] {
    const outputs = this.#shuffles.get(shuffleId)
    assert(outputs, `${shuffleId} is not registered`)
    const missing: number[] = []
    for (const [at, held] of outputs.entries()) if (held === undefined) missing.push(at)
    return missing
  }

  forget(shuffleId: string): void {
    this.#shuffles.delete(shuffleId)
  }
}
