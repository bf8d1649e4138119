// The records rejected by one task, until it reports them. Their number is exact; error texts and
// records are bounded, so that a topic full of unexpected data cannot exhaust the executor's
// memory.

import { EngineError } from '../engineError.ts'
import { OffsetSet } from './offsetSet.ts'
import { keepRejected } from './rejection.ts'
import type { RejectedOffsets, RejectedRecord } from './scan.ts'

/** Skipped records reported with their error; of the others only the offsets are reported. */
export const mostSkippedTexts = 1000
/**
 * Bytes of records for dead letter topics, which are kept whole, as all of them must be written.
 */
export const mostDeadLetterBytes = 16 * 1024 * 1024
/** Approximate memory per record, beside its bytes. */
const overheadBytes = 200

/** Rejections in the report of a task. */
export interface ReportedRejections {
  readonly rejected: readonly RejectedRecord[]
  readonly rejectedOffsets: readonly RejectedOffsets[]
}

interface RejectedOfPartition {
  readonly topic: string
  readonly partition: number
  readonly offsets: OffsetSet
}

export class TaskRejections {
  readonly #rejected: RejectedRecord[] = []
  /** By policy and topic partition: two streams may read a topic with different policies. */
  readonly #partitions = new Map<string, RejectedOfPartition>()
  #texts = 0
  #deadLetterBytes = 0

  /**
   * Notes the record, which need not outlive the call; once, even if several branches of the task
   * reject it. Throws REJECTED_TOO_MANY when records for dead letter topics exceed the limit.
   */
  reject(rejected: RejectedRecord): void {
    const { topic, partition, offset, onError } = rejected
    const policy = onError === 'skip' ? '' : onError.deadLetter
    if (!this.#offsets(policy, topic, partition).add(offset)) return
    if (onError === 'skip' && this.#texts++ >= mostSkippedTexts) return
    const kept = keepRejected(rejected)
    if (onError !== 'skip') this.#addBytes(rejectedBytes(kept))
    this.#rejected.push(kept)
  }

  report(): ReportedRejections {
    const rejectedOffsets = [...this.#partitions.values()].flatMap(
      ({ topic, partition, offsets }) => offsets.report(topic, partition),
    )
    return { rejected: this.#rejected, rejectedOffsets }
  }

  #offsets(policy: string, topic: string, partition: number): OffsetSet {
    const key = `${policy}/${topic}/${partition}`
    let found = this.#partitions.get(key)
    if (!found) {
      found = { topic, partition, offsets: new OffsetSet() }
      this.#partitions.set(key, found)
    }
    return found.offsets
  }

  #addBytes(bytes: number): void {
    this.#deadLetterBytes += bytes
    if (this.#deadLetterBytes <= mostDeadLetterBytes) return
    throw rejectedTooMany('a task', mostDeadLetterBytes, this.#rejected.length + 1)
  }
}

/** Approximate memory of a rejected record, in bytes. */
export function rejectedBytes({ error, record }: RejectedRecord): number {
  let bytes = overheadBytes + 2 * error.length
  if (record === undefined) return bytes
  bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const { key, value } of record.headers) bytes += 2 * key.length + (value?.length ?? 0)
  return bytes
}

export function rejectedTooMany(who: string, mostBytes: number, records: number): EngineError {
  return new EngineError(
    'REJECTED_TOO_MANY',
    `${who} rejected more than ${mostBytes} bytes of records for dead letter topics (${records} records): ` +
      "the format or the job's code does not match the topic, or batches are too large; correct the " +
      "job, lower maxRecordsPerPartition, or set onError: 'skip'",
  )
}
