// Gathers the buckets that tasks read. Buckets in memory are returned at once; buckets on disk are
// read for a few tasks at a time, limited by bytes: outputs are spilled because they do not fit
// into memory, so reading all of them at once would not fit either.

import { type ShuffleInputs as Inputs, shuffleInputKey } from '../executor/task.ts'
import type { Bucket } from '../rdd/lineage.ts'
import type { ShuffleStore } from '../shuffle/shuffleStore.ts'
import type { ShuffleRead } from './stage.ts'

/** A map output that was lost or forgotten. */
export interface MissingOutput {
  readonly kind: 'missing'
  readonly shuffleId: string
  readonly mapPartition: number
}

export type Gathered = { readonly kind: 'gathered'; readonly inputs: Inputs } | MissingOutput

interface WaitingTask {
  readonly taskId: number
  readonly bytes: number
  start(): void
}

export class ShuffleInputs {
  readonly #store: ShuffleStore
  readonly #maxBytes: number
  #waiting: WaitingTask[] = []
  /** Bytes read from disk for tasks that have not ended, by task. */
  readonly #loaded = new Map<number, number>()
  #bytes = 0

  /** `maxBytes`: inputs from disk held by all tasks together; a single task may exceed it. */
  constructor(store: ShuffleStore, maxBytes: number) {
    this.#store = store
    this.#maxBytes = maxBytes
  }

  /**
   * Returns synchronously when everything is in memory. The promise never rejects. Call `ended`
   * afterwards.
   */
  gather(taskId: number, reads: readonly ShuffleRead[]): Gathered | Promise<Gathered> {
    const bytes = this.#bytesOnDisk(reads)
    if (bytes === 0) return this.#gatherFromMemory(reads)
    return new Promise((resolve) => {
      const start = () => resolve(this.#load(reads))
      this.#waiting.push({ taskId, bytes, start })
      this.#startWaiting()
    })
  }

  /** Releases the inputs of the task. */
  ended(taskId: number): void {
    const bytes = this.#loaded.get(taskId)
    if (bytes === undefined) return
    this.#loaded.delete(taskId)
    this.#bytes -= bytes
    this.#startWaiting()
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#bytes > 0 && this.#bytes + next.bytes > this.#maxBytes) return
      this.#waiting.shift()
      this.#loaded.set(next.taskId, next.bytes)
      this.#bytes += next.bytes
      next.start()
    }
  }

  #bytesOnDisk(reads: readonly ShuffleRead[]): number {
    let bytes = 0
    for (const { shuffleId, mapPartitions, reducePartition } of reads) {
      for (let at = 0; at < mapPartitions; at++) {
        bytes += this.#store.bytesOnDisk(shuffleId, at, reducePartition)
      }
    }
    return bytes
  }

  #gatherFromMemory(reads: readonly ShuffleRead[]): Gathered {
    const inputs = new Map<string, readonly Bucket[]>()
    for (const { shuffleId, mapPartitions, reducePartition } of reads) {
      const buckets: Bucket[] = []
      for (let mapPartition = 0; mapPartition < mapPartitions; mapPartition++) {
        const bucket = this.#store.bucket(shuffleId, mapPartition, reducePartition)
        if (bucket === undefined || bucket instanceof Promise) {
          return { kind: 'missing', shuffleId, mapPartition }
        }
        buckets.push(bucket)
      }
      inputs.set(shuffleInputKey(shuffleId, reducePartition), buckets)
    }
    return { kind: 'gathered', inputs }
  }

  async #load(reads: readonly ShuffleRead[]): Promise<Gathered> {
    const inputs = new Map<string, readonly Bucket[]>()
    for (const { shuffleId, mapPartitions, reducePartition } of reads) {
      const buckets: Bucket[] = []
      for (let mapPartition = 0; mapPartition < mapPartitions; mapPartition++) {
        const bucket = await this.#store.bucket(shuffleId, mapPartition, reducePartition)
        if (bucket === undefined) return { kind: 'missing', shuffleId, mapPartition }
        buckets.push(bucket)
      }
      inputs.set(shuffleInputKey(shuffleId, reducePartition), buckets)
    }
    return { kind: 'gathered', inputs }
  }
}
