// Partition logs for benchmarks: opened on the real disk, filled with order lines.

import { defaultLogConfig, type FlushPolicy } from '../../../broker/log/logConfig.ts'
import { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import type { OrderBatches } from './orderBatches.ts'

export const appendOptions = { leaderEpoch: 0, origin: 'client' } as const

export async function openLog(
  directory: string,
  flush: FlushPolicy,
  disk: Disk = nodeDisk,
): Promise<PartitionLog> {
  const log = await PartitionLog.open({
    disk,
    clock: systemClock,
    scheduler: systemScheduler,
    logger: silentLogger,
    directory,
    config: { ...defaultLogConfig, flush },
  })
  return leadAlone(log)
}

/** Lets the high watermark follow the durable end, as the Partition of a sole replica does. */
export function leadAlone(log: PartitionLog): PartitionLog {
  const follow = () => log.advanceHighWatermark(log.durableEndOffset)
  log.onLogEnd(follow)
  follow()
  return log
}

/** Appends `batch`, and fails the benchmark if the log refuses it. */
export async function append(log: PartitionLog, batch: Buffer): Promise<void> {
  // The log has written the offset into the batch at an earlier append.
  new RecordBatch(batch).baseOffset = 0
  const { errorCode, errorMessage } = await log.appendAsLeader(batch, appendOptions)
  if (errorCode !== 0) throw new Error(`append failed with code ${errorCode}: ${errorMessage}`)
}

/** Appends until the log has at least that many records, several batches at a time. */
export async function fillLog(
  log: PartitionLog,
  orders: OrderBatches,
  records: number,
): Promise<void> {
  let next = log.logEndOffset
  await Promise.all(
    orders.batches.map(async (batch) => {
      while (next < records) {
        next += orders.recordsPerBatch
        await append(log, batch)
      }
    }),
  )
}
