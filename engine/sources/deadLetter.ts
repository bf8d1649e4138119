// A dead letter: a rejected record as a record of a dead letter topic. Key, value and headers are
// unchanged; added headers name the record's topic, partition and offset, the job and batch that
// rejected it, and the error.

import type { ProducerRecord } from '../../protocol/client/producer/producer.ts'
import type { RecordHeader } from '../../protocol/kafka/records/recordCursor.ts'
import type { RejectedRecord } from './scan.ts'

/** The end of a partition of a dead letter topic. */
export interface DeadLetterEnd {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Numbers are decimal; the timestamp is in milliseconds since the epoch. */
export const DeadLetterHeader = {
  job: 'millrace.job',
  batch: 'millrace.batch',
  topic: 'millrace.topic',
  partition: 'millrace.partition',
  offset: 'millrace.offset',
  timestamp: 'millrace.timestamp',
  error: 'millrace.error',
} as const

/**
 * Returns the record to send. Its own headers come first: of two headers with the same key, the
 * last one wins.
 */
export function deadLetterOf(
  job: string,
  batchId: number,
  { topic, partition, offset, timestampMs, error, record }: RejectedRecord,
): ProducerRecord {
  const added: Record<string, string | number> = {
    [DeadLetterHeader.job]: job,
    [DeadLetterHeader.batch]: batchId,
    [DeadLetterHeader.topic]: topic,
    [DeadLetterHeader.partition]: partition,
    [DeadLetterHeader.offset]: offset,
    [DeadLetterHeader.timestamp]: timestampMs,
    [DeadLetterHeader.error]: error,
  }
  const headers = [...(record?.headers ?? []), ...Object.entries(added).map(headerOf)]
  return {
    key: record?.key ?? null,
    value: record?.value ?? null,
    headers: headers as RecordHeader[],
  }
}

function headerOf([key, value]: [string, string | number]): RecordHeader {
  return { key, value: Buffer.from(String(value)) }
}

/** Identifies a rejected record within a dead letter topic. */
export function letterKey(
  deadLetter: string,
  { topic, partition, offset }: Pick<RejectedRecord, 'topic' | 'partition' | 'offset'>,
): string {
  return `${deadLetter}/${topic}/${partition}/${offset}`
}

/**
 * Returns the key of a record found in topic `deadLetter`; undefined when it is not a dead letter
 * of the job.
 */
export function letterKeyOf(
  deadLetter: string,
  job: string,
  headers: readonly RecordHeader[],
): string | undefined {
  const newest = new Map(headers.map(({ key, value }) => [key, value?.toString('utf8')]))
  if (newest.get(DeadLetterHeader.job) !== job) return undefined
  const topic = newest.get(DeadLetterHeader.topic) ?? ''
  const partition = Number(newest.get(DeadLetterHeader.partition))
  const offset = Number(newest.get(DeadLetterHeader.offset))
  return letterKey(deadLetter, { topic, partition, offset })
}
