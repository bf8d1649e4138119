// Saves the state of an idle log, and opens a log from that state without disk access. The last
// segment loads its indexes and checks its end on first use. Must never open a log from saved state
// if there is any doubt about that state.

import type { LogTail } from '../append/logTail.ts'
import { LeaderEpochs } from '../leaderEpochs.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from '../producers/producerSnapshot.ts'
import { ProducerState } from '../producers/producerState.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import { Segment } from '../segment/segment.ts'
import type { RecoveredLog, RecoveryOptions } from './logRecovery.ts'
import type { RestingLog, RestingState } from './restingLog.ts'

/**
 * Logs with more producers are recovered from their own snapshot, so that one small file suffices
 * for all logs.
 */
const maxProducers = 32

/** Undefined if the log has too many producers to be saved with the others. */
export function restingState(
  segments: LogSegments,
  tail: LogTail,
  logStartOffset: number,
): RestingState | undefined {
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

/** Undefined if the log has to be recovered. */
export function resumeLog(options: RecoveryOptions, resting: RestingLog): RecoveredLog | undefined {
  const { config, nowMs, recoveryPoint, logStartOffset } = options
  const producers =
    resting.producers === undefined
      ? new ProducerState(config.producerIdExpirationMs)
      : decodeProducerSnapshot(resting.producers, config.producerIdExpirationMs, nowMs)
  const last = resting.segments.at(-1)
  if (!producers || !last || recoveryPoint !== resting.logEndOffset) return undefined
  // Records were deleted after the state was saved.
  if (logStartOffset > resting.logStartOffset) return undefined
  return {
    segments: segmentsOf(options, resting),
    logStartOffset: resting.logStartOffset,
    active: {
      baseOffset: last.baseOffset,
      sizeBytes: last.sizeBytes,
      createdMs: nowMs,
      firstTimestampMs: resting.firstTimestampMs,
      indexesFull: false,
    },
    nextOffset: resting.logEndOffset,
    producers,
    epochs: new LeaderEpochs(resting.epochs),
    damage: undefined,
  }
}

function segmentsOf(
  { disk, directory, cache, config }: RecoveryOptions,
  { segments, logEndOffset }: RestingLog,
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

/** State of a log whose files have just been created. */
export const newLog: RestingLog = {
  topicId: undefined,
  directoryModifiedMs: 0,
  fileModifiedMs: 0,
  logStartOffset: 0,
  logEndOffset: 0,
  segments: [{ baseOffset: 0, sizeBytes: 0, largestTimestampMs: undefined }],
  firstTimestampMs: undefined,
  epochs: [],
  producers: undefined,
}

const noEntries = { offsets: 0, times: 0 }
