// What a log was at a moment when nothing was on its way in it, as its data directory writes it
// down, so that a later start does not have to look into thousands of partitions one by one. Who
// believes it has to know that nothing has changed since (restingLogs.ts); what it says of the
// bytes at the end of the log is checked when they are first needed (segment.ts).

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { LeaderEpoch } from '../leaderEpochs.ts'

/** What the log itself knows. */
export interface RestingState {
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Ascending; the last one is appended to. */
  readonly segments: readonly RestingSegment[]
  /** Of the last segment: the largest timestamp of its first batch; undefined while it is empty. */
  readonly firstTimestampMs: number | undefined
  readonly epochs: readonly LeaderEpoch[]
  /** A producer snapshot, see producerSnapshot.ts; undefined without producers. */
  readonly producers: Buffer | undefined
}

export interface RestingLog extends RestingState {
  /** Of the partition, as in partition.metadata. */
  readonly topicId: string | undefined
  /** When a name in the partition's directory changed for the last time. */
  readonly directoryModifiedMs: number
  /** When the file of the last segment was written for the last time. */
  readonly fileModifiedMs: number
}

export interface RestingSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Undefined when nobody has asked for it. */
  readonly largestTimestampMs: number | undefined
}

const version = 2

/** One line of the file: `name` is that of the partition's directory. */
export function encodeRestingLog(name: string, log: RestingLog): string {
  return JSON.stringify([name, fieldsOf(log)])
}

export function encodeRestingLogs(lines: Iterable<string>): Buffer {
  const body = Buffer.from([...lines].join('\n'))
  return Buffer.concat([Buffer.from(`${version} ${crc32c(body)}\n`), body])
}

/** Empty when the bytes are of another version, or damaged: each log is looked into then. */
export function decodeRestingLogs(bytes: Buffer): Map<string, RestingLog> {
  const logs = new Map<string, RestingLog>()
  const headEnd = bytes.indexOf('\n')
  const body = bytes.subarray(headEnd + 1)
  if (bytes.toString('latin1', 0, Math.max(0, headEnd)) !== `${version} ${crc32c(body)}`)
    return logs
  for (const line of body.toString('utf8').split('\n')) {
    if (line === '') continue
    const [name, fields] = JSON.parse(line) as [string, RestingFields]
    logs.set(name, restingLog(fields))
  }
  return logs
}

type RestingFields = readonly [
  topicId: string | null,
  directoryModifiedMs: number,
  fileModifiedMs: number,
  logStartOffset: number,
  logEndOffset: number,
  segments: readonly (readonly [baseOffset: number, sizeBytes: number, timestamp: number | null])[],
  firstTimestampMs: number | null,
  epochs: readonly (readonly [epoch: number, startOffset: number])[],
  producers: string | null,
]

function fieldsOf(log: RestingLog): RestingFields {
  return [
    log.topicId ?? null,
    log.directoryModifiedMs,
    log.fileModifiedMs,
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

function restingLog(fields: RestingFields): RestingLog {
  const [topicId, directoryModifiedMs, fileModifiedMs, logStartOffset, logEndOffset, ...rest] =
    fields
  const [segments, firstTimestampMs, epochs, producers] = rest
  return {
    topicId: topicId ?? undefined,
    directoryModifiedMs,
    fileModifiedMs,
    logStartOffset,
    logEndOffset,
    segments: segments.map(([baseOffset, sizeBytes, timestamp]) => {
      return { baseOffset, sizeBytes, largestTimestampMs: timestamp ?? undefined }
    }),
    firstTimestampMs: firstTimestampMs ?? undefined,
    epochs: epochs.map(([epoch, startOffset]) => ({ epoch, startOffset })),
    producers: producers === null ? undefined : Buffer.from(producers, 'base64'),
  }
}
