// Flume's counters under Flume's names; one object per component. Counting adds to a field once per
// batch; the strings of the metrics page are built per request.

import { Distribution } from '../../protocol/telemetry/metrics/distribution.ts'
import { latencyBucketsSeconds } from '../../protocol/telemetry/metrics/metrics.ts'

export class SourceCounter {
  readonly Type = 'SOURCE'
  EventReceivedCount = 0
  EventAcceptedCount = 0
  AppendReceivedCount = 0
  AppendAcceptedCount = 0
  AppendBatchReceivedCount = 0
  AppendBatchAcceptedCount = 0
  OpenConnectionCount = 0
  EventReadFail = 0
  ChannelWriteFail = 0
  GenericProcessingFail = 0
  StartTime = 0
  StopTime = 0
}

/** Progress of a source, in addition to Flume's counters. */
export interface SourceProgress {
  /** Bytes that were read and put. */
  bytesRead: number
  /** Set by a source that follows files. */
  tailed?: () => TailedFiles
}

/** The files that a source follows, as of its last scan. */
export interface TailedFiles {
  readonly files: number
  /** Files that currently cannot be opened or read. */
  readonly unreadable: number
  /** Bytes in the files that were not read yet. */
  readonly bytesBehind: number
}

/** Progress of a sink, in addition to Flume's counters. */
export interface SinkProgress {
  /** Time from put to delivery, in seconds, of the oldest event of each delivered transaction. */
  readonly deliveryDelay: Distribution
}

export function newSinkProgress(): SinkProgress {
  return { deliveryDelay: new Distribution(latencyBucketsSeconds) }
}

export class ChannelCounter {
  readonly Type = 'CHANNEL'
  ChannelSize = 0
  ChannelCapacity = 0
  ChannelFillPercentage = 0
  EventPutAttemptCount = 0
  EventPutSuccessCount = 0
  EventTakeAttemptCount = 0
  EventTakeSuccessCount = 0
  StartTime = 0
  StopTime = 0

  started(nowMs: number): void {
    this.StartTime = nowMs
  }

  stopped(nowMs: number): void {
    this.StopTime = nowMs
  }

  /** The storage of the channel refused a put or failed to store it. */
  putFailed(): void {}
}

export class SinkCounter {
  readonly Type = 'SINK'
  ConnectionCreatedCount = 0
  ConnectionClosedCount = 0
  ConnectionFailedCount = 0
  BatchEmptyCount = 0
  BatchUnderflowCount = 0
  BatchCompleteCount = 0
  EventDrainAttemptCount = 0
  EventDrainSuccessCount = 0
  StartTime = 0
  StopTime = 0
}

/** Counters of a Kafka sink: as Flume publishes them, without the `...Fail` counters. */
export class KafkaSinkCounter extends SinkCounter {
  KafkaEventSendTimer = 0
  RollbackCount = 0
}

/** Counters of a file channel. */
export class FileChannelCounter extends ChannelCounter {
  Open = false
  Closed = true
  Unhealthy = 0
  EventPutErrorCount = 0
  EventTakeErrorCount = 0
  CheckpointWriteErrorCount = 0
  CheckpointBackupWriteErrorCount = 0

  override putFailed(): void {
    this.EventPutErrorCount++
  }

  override started(nowMs: number): void {
    super.started(nowMs)
    this.Open = true
    this.Closed = false
  }

  override stopped(nowMs: number): void {
    super.stopped(nowMs)
    this.Open = false
    this.Closed = true
  }
}

export type Counter = SourceCounter | ChannelCounter | SinkCounter

/**
 * A counter as on Flume's metrics page: every value is a string, ChannelFillPercentage has a
 * fraction.
 */
export function counterStrings(counter: Counter): Record<string, string> {
  return Object.fromEntries(
    Object.entries(counter).map(([name, value]) => [name, valueString(name, value)]),
  )
}

function valueString(name: string, value: unknown): string {
  const isWholeFraction = name === 'ChannelFillPercentage' && Number.isInteger(value)
  return isWholeFraction ? `${value}.0` : String(value)
}
