// node veryLargeLogProcess.ts DIRECTORY fill GIGABYTES | open | kill: a process with one log, which
// it fills and closes, opens and measures, or leaves without closing it.

import { defaultLogConfig } from '../../../broker/log/logConfig.ts'
import { LogManager } from '../../../broker/log/logManager.ts'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { countingDisk } from './countingDisk.ts'
import { append, leadAlone } from './logs.ts'
import { durationMs } from './measure.ts'
import { orderBatches, orderBatchesOf } from './orderBatches.ts'

export interface LogFigures {
  readonly openMs: number
  readonly appendUs: number
  readonly readUs: number
  readonly fileReads: number
}

const topic = 'large'
const appends = 1000
const reads = 5000
const readBytes = 4096
const bytesAfterCheckpoint = 64 * 1024 * 1024
const appendsAtOnce = 8

const [directory, command, gigabytes] = process.argv.slice(2)
const disk = countingDisk(nodeDisk)
const startMs = performance.now()
const manager = await LogManager.open({
  disk,
  clock: systemClock,
  scheduler: systemScheduler,
  logger: silentLogger,
  directories: [directory!],
  config: { ...defaultLogConfig, flush: 'os', retentionMs: -1 },
})
const log = leadAlone(await manager.create(topic, 0))
const openMs = performance.now() - startMs

if (command === 'fill') await fill(log, Number(gigabytes) * 1e9)
if (command === 'kill') {
  await manager.checkpoint()
  await fill(log, log.size + bytesAfterCheckpoint)
  process.kill(process.pid, 'SIGKILL')
}
if (command === 'open') process.stdout.write(JSON.stringify(await figures(log)))
await manager.close()

/** Appends batches of a producer's size, as fast as the log accepts them. */
async function fill(into: PartitionLog, bytes: number): Promise<void> {
  const { batches } = orderBatches(appendsAtOnce, 16 * 1024)
  await Promise.all(
    batches.map(async (batch) => {
      while (into.size < bytes) await append(into, batch)
    }),
  )
}

async function figures(of: PartitionLog): Promise<LogFigures> {
  const random = seededRandom(7)
  const end = of.logEndOffset
  const [batch] = orderBatchesOf(1, 1).batches
  const appendMs = await durationMs(async () => {
    for (let count = 0; count < appends; count++) await append(of, batch!)
  })
  disk.reads = 0
  const readMs = await durationMs(async () => {
    for (let count = 0; count < reads; count++) {
      const { bytes } = await of.read(random.below(end), readBytes)
      if (bytes.length === 0) throw new Error('a read that found nothing')
    }
  })
  return {
    openMs,
    appendUs: (appendMs * 1000) / appends,
    readUs: (readMs * 1000) / reads,
    fileReads: disk.reads / reads,
  }
}
