// The map outputs that the driver holds: of the batch that runs, and of earlier ones, because windows read
// them again. So many of them as fit are in memory; the oldest others are on disk, where there is one. What
// neither takes is dropped when it is of an earlier batch: it can be computed again from its lineage. Of the
// batch that runs nothing is dropped: that would be computed again at once, and for ever.

import type { Logger } from '../../protocol/telemetry/logger.ts'
import { EngineError } from '../engineError.ts'
import type { Bucket } from '../rdd/lineage.ts'
import { shapeOf } from './outputShape.ts'
import type { ShuffleSpill, SpilledOutput } from './shuffleSpill.ts'

interface Output {
  readonly shuffleId: string
  readonly batchId: number
  readonly pairs: number
  readonly bytes: number
  /** In memory, or on disk. */
  buckets: readonly Bucket[] | undefined
  spilled: SpilledOutput | undefined
}

export interface ShuffleStoreOptions {
  readonly logger: Logger
  /** Keys with their values in memory, over all outputs. */
  readonly maxPairs: number
  /** Estimated size of what is in memory. */
  readonly maxBytes: number
  /** Without it, what does not fit into memory is dropped or refused. */
  readonly spill?: ShuffleSpill | undefined
  /** An output was computed again and is not what it was: the job is not deterministic. */
  onChanged?(shuffleId: string, mapPartition: number): void
}

export class ShuffleStore {
  readonly #options: ShuffleStoreOptions
  /** By shuffle and map partition, oldest first. */
  readonly #outputs = new Map<string, Output>()
  /** Of all outputs that are known, also of those that were dropped. */
  readonly #checksums = new Map<string, number>()
  #pairs = 0
  #bytes = 0
  /** Making room is done by one at a time. */
  #makingRoom: Promise<unknown> = Promise.resolve()
  #hasWarned = false

  constructor(options: ShuffleStoreOptions) {
    this.#options = options
  }

  /** Estimated bytes in memory. */
  get bytesInMemory(): number {
    return this.#bytes
  }

  /** Removes what is on disk: at the start, what an earlier driver has left. */
  async clear(): Promise<void> {
    await this.#options.spill?.clear()
  }

  /**
   * Returns nothing when the output fits into memory, else a promise that resolves when there is room for it.
   * The promise rejects with RESULT_TOO_LARGE when the outputs of one batch are more than can be held, or with
   * what made the disk refuse them.
   */
  put(
    shuffleId: string,
    mapPartition: number,
    batchId: number,
    buckets: readonly Bucket[],
  ): Promise<void> | undefined {
    const key = outputKey(shuffleId, mapPartition)
    this.#delete(key)
    const { pairs, bytes, checksum } = shapeOf(buckets)
    this.#outputs.set(key, { shuffleId, batchId, pairs, bytes, buckets, spilled: undefined })
    this.#pairs += pairs
    this.#bytes += bytes
    const before = this.#checksums.get(key)
    this.#checksums.set(key, checksum)
    if (before !== undefined && before !== checksum)
      this.#options.onChanged?.(shuffleId, mapPartition)
    if (this.#fits()) return undefined
    const made = this.#makingRoom.then(() => this.#makeRoom(batchId))
    this.#makingRoom = made.catch(() => {})
    return made
  }

  has(shuffleId: string, mapPartition: number): boolean {
    return this.#outputs.has(outputKey(shuffleId, mapPartition))
  }

  /** The bucket, a promise of it when it is on disk, or undefined when the output was lost or forgotten. */
  bucket(
    shuffleId: string,
    mapPartition: number,
    reducePartition: number,
  ): Bucket | Promise<Bucket | undefined> | undefined {
    const key = outputKey(shuffleId, mapPartition)
    const output = this.#outputs.get(key)
    if (output?.buckets !== undefined) return output.buckets[reducePartition]
    if (output?.spilled === undefined) return undefined
    return this.#read(key, output, output.spilled, reducePartition)
  }

  /** Bytes of a bucket that has to be read from disk; 0 for one in memory. */
  bytesOnDisk(shuffleId: string, mapPartition: number, reducePartition: number): number {
    const output = this.#outputs.get(outputKey(shuffleId, mapPartition))
    if (output?.buckets !== undefined) return 0
    return output?.spilled?.frames[reducePartition]?.sizeBytes ?? 0
  }

  /** Frees what the shuffle has, in memory and on disk. */
  async forget(shuffleId: string, mapPartitions: number): Promise<void> {
    for (let at = 0; at < mapPartitions; at++) {
      this.#delete(outputKey(shuffleId, at))
      this.#checksums.delete(outputKey(shuffleId, at))
    }
    await this.#options.spill?.forget(shuffleId)
  }

  async #read(
    key: string,
    output: Output,
    spilled: SpilledOutput,
    reducePartition: number,
  ): Promise<Bucket | undefined> {
    const bucket = await this.#options.spill?.read(spilled, reducePartition)
    if (bucket === undefined && this.#outputs.get(key) === output) {
      this.#warn(
        { shuffleId: output.shuffleId },
        'a shuffle file is damaged or lost; its part is computed again',
      )
      this.#delete(key)
    }
    return bucket
  }

  #fits(): boolean {
    return this.#pairs <= this.#options.maxPairs && this.#bytes <= this.#options.maxBytes
  }

  async #makeRoom(batchId: number): Promise<void> {
    let failure = await this.#spillOldest()
    if (this.#fits()) return
    failure ??= tooLarge(this.#options)
    this.#dropBefore(batchId)
    // What was dropped may have made room on the disk as well.
    if (!this.#fits() && isTooLarge(failure)) failure = (await this.#spillOldest()) ?? failure
    if (!this.#fits()) throw failure
  }

  /** Until the rest fits. Returns what stopped it. */
  async #spillOldest(): Promise<Error | undefined> {
    const { spill } = this.#options
    if (spill === undefined) return undefined
    for (const [key, output] of this.#outputs) {
      if (this.#fits()) return undefined
      const { buckets, shuffleId } = output
      if (buckets === undefined) continue
      try {
        const spilled = await spill.write(shuffleId, buckets)
        if (this.#outputs.get(key) === output) this.#moved(output, spilled)
      } catch (cause) {
        if (isTooLarge(cause)) return cause
        this.#warn(
          { error: cause },
          'shuffles cannot be written to disk and have to fit into memory',
        )
        return cannotWrite(cause as Error)
      }
    }
    return undefined
  }

  #moved(output: Output, spilled: SpilledOutput): void {
    output.buckets = undefined
    output.spilled = spilled
    this.#pairs -= output.pairs
    this.#bytes -= output.bytes
  }

  #dropBefore(batchId: number): void {
    for (const [key, output] of this.#outputs) {
      if (output.batchId >= batchId) continue
      this.#delete(key)
      const isLast = ![...this.#outputs.values()].some(
        (other) => other.shuffleId === output.shuffleId,
      )
      if (isLast) void this.#options.spill?.forget(output.shuffleId)
      if (this.#fits()) return
    }
  }

  #delete(key: string): void {
    const output = this.#outputs.get(key)
    if (output === undefined) return
    this.#outputs.delete(key)
    if (output.buckets === undefined) return
    this.#pairs -= output.pairs
    this.#bytes -= output.bytes
  }

  #warn(fields: Record<string, unknown>, message: string): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#options.logger.warn(fields, message)
  }
}

function isTooLarge(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'RESULT_TOO_LARGE'
}

function tooLarge({ maxPairs, maxBytes }: ShuffleStoreOptions): EngineError {
  return new EngineError(
    'RESULT_TOO_LARGE',
    `a batch shuffles more than ${maxPairs} pairs or ${maxBytes} bytes: reduce by key before values are grouped or ` +
      'joined, or let a batch read fewer records',
  )
}

function cannotWrite(cause: Error): EngineError {
  return new EngineError(
    'RESULT_TOO_LARGE',
    `the shuffles of a batch do not fit into memory and cannot be written to disk (${cause.message}): free space in ` +
      "the job's directory",
    cause,
  )
}

function outputKey(shuffleId: string, mapPartition: number): string {
  return `${shuffleId}/${mapPartition}`
}
