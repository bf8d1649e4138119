// The fixture of the log's tests: batches with recognizable records, small segments, and reading a
// whole log. Independent of how the log stores them.

import type { AppendResult } from '../../../broker/log/append/appendResult.ts'
import { defaultLogConfig, type LogConfig } from '../../../broker/log/logConfig.ts'
import { PartitionLog } from '../../../broker/log/partitionLog.ts'
import type { PartitionLogOptions } from '../../../broker/log/partitionLogOptions.ts'
import {
  decodeRestingLogs,
  encodeRestingLog,
  encodeRestingLogs,
} from '../../../broker/log/recovery/restingLog.ts'
import { RecordBatch, splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'

export const smallConfig: LogConfig = {
  ...defaultLogConfig,
  segmentBytes: 1500,
  indexIntervalBytes: 100,
}

export interface BatchSpec {
  readonly records: number
  readonly label?: string
  readonly timestampMs?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
}

/** A batch whose record values are `<label>/<number>`. */
export function makeBatch(spec: BatchSpec): Buffer {
  const { producerId = -1, producerEpoch = -1, baseSequence = -1, isTransactional = false } = spec
  const builder = new RecordBatchBuilder({
    producerId,
    producerEpoch,
    baseSequence,
    isTransactional,
  })
  for (let number = 0; number < spec.records; number++) {
    const value = Buffer.from(`${spec.label ?? 'record'}/${number}`)
    builder.append((spec.timestampMs ?? 1000) + number, null, value)
  }
  return builder.build()
}

/** A disk whose data directory exists durably, as with a LogManager. */
export async function diskWithData(disk = new MemoryDisk()): Promise<MemoryDisk> {
  await disk.makeDirectory('/data')
  await disk.syncDirectory('/')
  return disk
}

/** A log whose high watermark follows its end, as with a sole replica. */
export async function openLog(
  disk: Disk,
  options: Partial<PartitionLogOptions> = {},
): Promise<PartitionLog> {
  return leadAlone(await open(disk, options))
}

/** Lets the high watermark follow the durable end, as the Partition of a sole replica does. */
export function leadAlone(log: PartitionLog): PartitionLog {
  if (hasLeader.has(log)) return log
  hasLeader.add(log)
  const follow = () => log.advanceHighWatermark(log.durableEndOffset)
  log.onLogEnd(follow)
  follow()
  return log
}

/** Logs for which `append` does not have to call `leadAlone`. */
const hasLeader = new WeakSet<PartitionLog>()

/** A log whose high watermark moves only when the test moves it. */
export async function openReplica(
  disk: Disk,
  options: Partial<PartitionLogOptions> = {},
): Promise<PartitionLog> {
  const log = await open(disk, options)
  hasLeader.add(log)
  return log
}

function open(disk: Disk, options: Partial<PartitionLogOptions>): Promise<PartitionLog> {
  return PartitionLog.open({
    disk,
    clock: new ManualClock(),
    scheduler: systemScheduler,
    logger: silentLogger,
    directory: '/data/orders-0',
    config: smallConfig,
    ...options,
  })
}

/** The saved state that the next start finds for a log that was closed cleanly. */
export function notedOf(log: PartitionLog): Partial<PartitionLogOptions> {
  const state = log.restingState()
  if (!state) return {}
  const noted = { ...state, topicId: undefined, directoryModifiedMs: 1, fileModifiedMs: 1 }
  const read = decodeRestingLogs(encodeRestingLogs([encodeRestingLog('orders-0', noted)]))
  return { wasClosed: true, resting: read.get('orders-0') }
}

export function append(
  log: PartitionLog,
  batch: Buffer | BatchSpec,
  leaderEpoch = 0,
): Promise<AppendResult> {
  const bytes = Buffer.isBuffer(batch) ? batch : makeBatch(batch)
  return leadAlone(log).appendAsLeader(bytes, { leaderEpoch, origin: 'client' })
}

/** The bytes of all batches that a consumer gets, read `maxBytes` at a time. */
export async function readAll(log: PartitionLog, maxBytes = 400): Promise<Buffer> {
  const parts: Buffer[] = []
  leadAlone(log)
  for (let offset = log.logStartOffset; offset < log.highWatermark; ) {
    const { bytes, errorCode } = await log.read(offset, maxBytes)
    if (errorCode !== 0 || bytes.length === 0) {
      throw new Error(`nothing at ${offset} below ${log.highWatermark}: error ${errorCode}`)
    }
    for (const batch of splitBatches(bytes)) offset = batch.nextOffset
    parts.push(bytes)
  }
  return Buffer.concat(parts)
}

export async function readValues(log: PartitionLog): Promise<string[]> {
  const values: string[] = []
  for (const batch of splitBatches(await readAll(log))) {
    for (const record of records(batch, 1_000_000)) values.push(String(record.value))
  }
  return values
}

/** A copy of the batch with offset and epoch, as the log must store it. */
export function stored(batch: Buffer, baseOffset: number, leaderEpoch = 0): Buffer {
  const copy = new RecordBatch(Buffer.from(batch))
  copy.baseOffset = baseOffset
  copy.partitionLeaderEpoch = leaderEpoch
  return copy.bytes
}
