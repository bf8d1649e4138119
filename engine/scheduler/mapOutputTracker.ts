// Which map outputs of which shuffles exist, and who holds them. A reduce task can start when every
// map partition of its shuffles has a holder.

import { assert } from '../../protocol/runtime/assert.ts'

/** Who keeps an output: an executor by its slot, or the driver, which outlives them all. */
export type OutputHolder = number | 'driver'

export class MapOutputTracker {
  readonly #shuffles = new Map<string, (OutputHolder | undefined)[]>()

  /** Shuffles that are known already keep their outputs: a later job skips what is there. */
  register(shuffleId: string, mapPartitions: number): void {
    if (this.#shuffles.has(shuffleId)) return
    this.#shuffles.set(shuffleId, new Array(mapPartitions).fill(undefined))
  }

  add(shuffleId: string, mapPartition: number, holder: OutputHolder): void {
    const outputs = this.#shuffles.get(shuffleId)
    assert(outputs && mapPartition < outputs.length, `no map ${mapPartition} of ${shuffleId}`)
    outputs[mapPartition] = holder
  }

  /** Returns false when the output was not known to exist. */
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

  /** Map partitions of a registered shuffle that have to be computed. */
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
