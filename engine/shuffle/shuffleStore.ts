// The map outputs that the driver holds: those of the running batch, and of earlier batches that
// windows read again. As many as fit are kept in memory; older ones are spilled to disk, if a spill
// is configured. Outputs that fit neither are dropped if they belong to an earlier batch, and
// recomputed from their lineage. Outputs of the running batch are never dropped: they would be
// recomputed at once, in an endless loop.

import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { EngineError } from '../engineError.ts'
import type { Bucket } from '../rdd/lineage.ts'
import { shapeOf } from './outputShape.ts'
import type { ShuffleSpill, SpilledOutput } from './shuffleSpill.ts'

interface Output {
  readonly shuffleId: string
  readonly batchId: number
  readonly pairs: number
  readonly bytes: number
  /** Exactly one of `buckets` (in memory) and `spilled` (on disk) is set. */
  buckets: readonly Bucket[] | undefined
  spilled: SpilledOutput | undefined
}

export interface ShuffleStoreOptions {
  readonly logger: Logger
  /** Pairs in memory, over all outputs. */
  readonly maxPairs: number
  /** Estimated bytes in memory. */
  readonly maxBytes: number
  /** Without a spill, outputs that do not fit into memory are dropped or fail the batch. */
  readonly spill?: ShuffleSpill | undefined
  /** Called when a recomputed output differs from the first one: the job is not deterministic. */
  onChanged?(shuffleId: string, mapPartition: number): void
}

export class ShuffleStore {
  readonly #options: ShuffleStoreOptions
  /** Outputs by shuffle and map partition, oldest first. */
  readonly #outputs = new Map<string, Output>()
  /** Checksums of all known outputs, including dropped ones. */
  readonly #checksums = new Map<string, number>()
  #pairs = 0
  #bytes = 0
  /** Tail of the queue of `#makeRoom` calls: they run one at a time. */
  #makingRoom: Promise<unknown> = Promise.resolve()
  #hasWarned = false

  constructor(options: ShuffleStoreOptions) {
    this.#options = options
  }

  /** Estimated bytes in memory. */
  get bytesInMemory(): number {
    return this.#bytes
  }

  /** Removes spilled outputs, including those of an earlier driver. */
  async clear(): Promise<void> {
    await this.#options.spill?.clear()
  }

  /**
   * Returns undefined when the output fits into memory, else a promise that resolves when there is
   * space for it. Rejects with RESULT_TOO_LARGE when the outputs of one batch exceed the limits, or
   * cannot be written to disk.
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

  /**
   * Returns the bucket, a promise of it when it is on disk, or undefined when the output was lost
   * or forgotten.
   */
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

  /** Bytes of a bucket that must be read from disk; 0 for one in memory. */
  bytesOnDisk(shuffleId: string, mapPartition: number, reducePartition: number): number {
    const output = this.#outputs.get(outputKey(shuffleId, mapPartition))
    if (output?.buckets !== undefined) return 0
    return output?.spilled?.frames[reducePartition]?.sizeBytes ?? 0
  }

  /** Frees the outputs of a shuffle, in memory and on disk. */
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
        'a shuffle file is damaged or missing; the map output is recomputed',
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
    // Dropping outputs may have freed disk space as well.
    if (!this.#fits() && isTooLarge(failure)) failure = (await this.#spillOldest()) ?? failure
    if (!this.#fits()) throw failure
  }

  /** Spills the oldest outputs until the rest fits. Returns the error that stopped it. */
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
        this.#warn({ error: cause }, 'cannot write shuffles to disk; they must fit into memory')
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
    `a batch shuffles more than ${maxPairs} pairs or ${maxBytes} bytes; reduce by key before grouping or ` +
      'joining, or reduce the records per batch (maxRecordsPerPartition)',
  )
}

function cannotWrite(cause: Error): EngineError {
  return new EngineError(
    'RESULT_TOO_LARGE',
    `the shuffles of a batch do not fit into memory and cannot be written to disk (${cause.message}); free space in ` +
      "the job's directory",
    cause,
  )
}

function outputKey(shuffleId: string, mapPartition: number): string {
  return `${shuffleId}/${mapPartition}`
}
