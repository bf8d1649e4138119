// The state of an idle log as its data directory saves it (file resting-logs), so that a later
// start does not have to open thousands of partitions one by one. Valid only while the log is
// unchanged, which restingLogs.ts decides; segment.ts checks the end of the log when it is first
// used.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { LeaderEpoch } from '../leaderEpochs.ts'

/** The part of the state that the log itself knows. */
export interface RestingState {
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Ascending; the last one is active. */
  readonly segments: readonly RestingSegment[]
  /**
   * The largest timestamp of the first batch of the last segment; undefined if the segment is
   * empty.
   */
  readonly firstTimestampMs: number | undefined
  readonly epochs: readonly LeaderEpoch[]
  /** A producer snapshot, see producerSnapshot.ts; undefined without producers. */
  readonly producers: Buffer | undefined
}

export interface RestingLog extends RestingState {
  /** Id of the topic, as in partition.metadata. */
  readonly topicId: string | undefined
  /** Time of the last change of a name in the partition's directory. */
  readonly directoryModifiedMs: number
  /** Time of the last write to the file of the last segment. */
  readonly fileModifiedMs: number
}

export interface RestingSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Undefined if it is not known without a read. */
  readonly largestTimestampMs: number | undefined
}

const version = 2

/** Returns one line of the file; `name` is the name of the partition's directory. */
export function encodeRestingLog(name: string, log: RestingLog): string {
  return JSON.stringify([name, fieldsOf(log)])
}

export function encodeRestingLogs(lines: Iterable<string>): Buffer {
  const body = Buffer.from([...lines].join('\n'))
  return Buffer.concat([Buffer.from(`${version} ${crc32c(body)}\n`), body])
}

/** Empty if the bytes are damaged or of another version: then every log is recovered. */
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
