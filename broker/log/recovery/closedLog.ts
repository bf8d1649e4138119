// What a log was when it was closed in order, as its data directory writes it down, so that the next
// start does not have to look into thousands of partitions one by one. It is believed only after an
// orderly end, once, and as long as the partition's directory is as it was left; what it says of the
// bytes at the end of the log is checked when they are first needed (segment.ts).

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { LeaderEpoch } from '../leaderEpochs.ts'

export interface ClosedLog {
  /** Of the partition, as in partition.metadata. */
  readonly topicId: string | undefined
  /** When a name in the partition's directory changed for the last time. */
  readonly directoryModifiedMs: number
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Ascending; the last one is appended to. */
  readonly segments: readonly ClosedSegment[]
  /** Of the last segment: the largest timestamp of its first batch; undefined while it is empty. */
  readonly firstTimestampMs: number | undefined
  readonly epochs: readonly LeaderEpoch[]
  /** A producer snapshot, see producerSnapshot.ts; undefined without producers. */
  readonly producers: Buffer | undefined
}

export interface ClosedSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Undefined when nobody has asked for it. */
  readonly largestTimestampMs: number | undefined
}

const version = 1

/** By the names of the partitions' directories. */
export function encodeClosedLogs(logs: ReadonlyMap<string, ClosedLog>): Buffer {
  const lines = [...logs].map(([name, log]) => JSON.stringify([name, fieldsOf(log)]))
  const body = Buffer.from(lines.join('\n'))
  return Buffer.concat([Buffer.from(`${version} ${crc32c(body)}\n`), body])
}

/** Empty when the bytes are of another version, or damaged: each log is looked into then. */
export function decodeClosedLogs(bytes: Buffer): Map<string, ClosedLog> {
  const logs = new Map<string, ClosedLog>()
  const headEnd = bytes.indexOf('\n')
  const body = bytes.subarray(headEnd + 1)
  if (bytes.toString('latin1', 0, Math.max(0, headEnd)) !== `${version} ${crc32c(body)}`)
    return logs
  for (const line of body.toString('utf8').split('\n')) {
    if (line === '') continue
    const [name, fields] = JSON.parse(line) as [string, ClosedFields]
    logs.set(name, closedLog(fields))
  }
  return logs
}

type ClosedFields = readonly [
  topicId: string | null,
  directoryModifiedMs: number,
  logStartOffset: number,
  logEndOffset: number,
  segments: readonly (readonly [baseOffset: number, sizeBytes: number, timestamp: number | null])[],
  firstTimestampMs: number | null,
  epochs: readonly (readonly [epoch: number, startOffset: number])[],
  producers: string | null,
]

function fieldsOf(log: ClosedLog): ClosedFields {
  return [
    log.topicId ?? null,
    log.directoryModifiedMs,
    log.logStartOffset,
    log.logEndOffset,
    log.segments.map((segment) => {
      return [segment.baseOffset, segment.sizeBytes, segment.largestTimestampMs ?? null]
    }),
    log.firstTimestampMs ?? null,
    log.epochs.map(({ epoch, startOffset }) => [epoch, startOffset]),
    log.producers?.toString('base64') ?? null,
  ]
}

function closedLog(fields: ClosedFields): ClosedLog {
  const [topicId, modifiedMs, logStartOffset, logEndOffset, segments, first, epochs, producers] =
    fields
  return {
    topicId: topicId ?? undefined,
    directoryModifiedMs: modifiedMs,
    logStartOffset,
    logEndOffset,
    segments: segments.map(([baseOffset, sizeBytes, timestamp]) => {
      return { baseOffset, sizeBytes, largestTimestampMs: timestamp ?? undefined }
    }),
    firstTimestampMs: first ?? undefined,
    epochs: epochs.map(([epoch, startOffset]) => ({ epoch, startOffset })),
    producers: producers === null ? undefined : Buffer.from(producers, 'base64'),
  }
}
