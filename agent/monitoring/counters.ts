// Flume's counters, by Flume's names, of one component each. Counting adds a number to a field
// per batch; the strings of the metrics page are built per request.

import { Distribution } from '../../protocol/telemetry/distribution.ts'
import { latencyBucketsSeconds } from '../../protocol/telemetry/metrics.ts'

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

/** What a source has read; not one of Flume's counters. */
export interface SourceProgress {
  /** Bytes of events that were put. */
  bytesRead: number
  /** Of a source that follows files. */
  tailed?: () => TailedFiles
}

/** The files that a source follows, as of its last look at them. */
export interface TailedFiles {
  readonly files: number
  /** Files that currently cannot be opened or read. */
  readonly unreadable: number
  /** Bytes in the files that are not read yet. */
  readonly bytesBehind: number
}

/** Time from a source's put to a sink's delivery; not one of Flume's counters. */
export interface SinkProgress {
  /** In seconds, of the oldest event of each transaction that was delivered. */
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

  /** A put was refused or lost by the channel's storage. */
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

/** A Kafka sink's: without the `...Fail` counters, as Flume publishes them. */
export class KafkaSinkCounter extends SinkCounter {
  KafkaEventSendTimer = 0
  RollbackCount = 0
}

/** A file channel's. */
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

/** A counter as the metrics page shows it: every value a string, fractions with a point. */
export function counterStrings(counter: Counter): Record<string, string> {
  return Object.fromEntries(
    Object.entries(counter).map(([name, value]) => [name, valueString(name, value)]),
  )
}

function valueString(name: string, value: unknown): string {
  const isWholeFraction = name === 'ChannelFillPercentage' && Number.isInteger(value)
  return isWholeFraction ? `${value}.0` : String(value)
}
