// A log that was closed in order: what is written down of it then, and how it is brought back from
// that without looking at the disk. Its last segment reads its indexes, and looks at its end, when
// somebody first needs it. It must never be brought back so when there is any doubt about it.

import { LeaderEpochs } from '../leaderEpochs.ts'
import type { LogTail } from '../logTail.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from '../producers/producerSnapshot.ts'
import { ProducerState } from '../producers/producerState.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import { Segment } from '../segment/segment.ts'
import type { ClosedLog } from './closedLog.ts'
import type { RecoveredLog, RecoveryOptions } from './logRecovery.ts'

/** What the log itself knows; the directory adds the rest. */
export type ClosedState = Omit<ClosedLog, 'topicId' | 'directoryModifiedMs'>

/** More are read from their own snapshot, so that one small file is enough for all logs. */
const maxProducers = 32

/** Undefined when the log has too much to be written down beside the others. */
export function closedState(
  segments: LogSegments,
  tail: LogTail,
  logStartOffset: number,
): ClosedState | undefined {
  const { producers, epochs } = tail
  if (producers.size > maxProducers) return undefined
  return {
    logStartOffset,
    logEndOffset: tail.nextOffset,
    segments: segments.spans().map(({ segment }) => {
      const { baseOffset, sizeBytes, knownLargestTimestampMs: largestTimestampMs } = segment
      return { baseOffset, sizeBytes, largestTimestampMs }
    }),
    firstTimestampMs: tail.firstTimestampMs,
    epochs: epochs.entries,
    producers: producers.size === 0 ? undefined : encodeProducerSnapshot(producers),
  }
}

/** Undefined when the log has to be looked into. */
export function resumeLog(options: RecoveryOptions, closed: ClosedLog): RecoveredLog | undefined {
  const { config, nowMs, recoveryPoint } = options
  const producers =
    closed.producers === undefined
      ? new ProducerState(config.producerIdExpirationMs)
      : decodeProducerSnapshot(closed.producers, config.producerIdExpirationMs, nowMs)
  const last = closed.segments.at(-1)
  if (!producers || !last || recoveryPoint !== closed.logEndOffset) return undefined
  return {
    segments: segmentsOf(options, closed),
    logStartOffset: closed.logStartOffset,
    active: {
      baseOffset: last.baseOffset,
      sizeBytes: last.sizeBytes,
      createdMs: nowMs,
      firstTimestampMs: closed.firstTimestampMs,
      indexesFull: false,
    },
    nextOffset: closed.logEndOffset,
    producers,
    epochs: new LeaderEpochs(closed.epochs),
    damage: undefined,
  }
}

function segmentsOf(
  { disk, directory, cache, config }: RecoveryOptions,
  { segments, logEndOffset }: ClosedLog,
): Segment[] {
  return segments.map(({ baseOffset, sizeBytes, largestTimestampMs }, at) => {
    const next = segments[at + 1]
    return new Segment({
      disk,
      directory,
      baseOffset,
      sizeBytes,
      nextOffset: next?.baseOffset ?? logEndOffset,
      indexes: undefined,
      isAsleep: next === undefined,
      largestTimestampMs,
      savedEntries: noEntries,
      cache,
      indexIntervalBytes: config.indexIntervalBytes,
    })
  })
}

/** What a log is whose files have just been made. */
export const newLog: ClosedLog = {
  topicId: undefined,
  directoryModifiedMs: 0,
  logStartOffset: 0,
  logEndOffset: 0,
  segments: [{ baseOffset: 0, sizeBytes: 0, largestTimestampMs: undefined }],
  firstTimestampMs: undefined,
  epochs: [],
  producers: undefined,
}

const noEntries = { offsets: 0, times: 0 }
