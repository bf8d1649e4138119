// Reads the status topic from its end on, as any client would, and hands each status to a listener.
// Programs speak every second, so what was said before the console started is soon said again.

import type { Cluster } from '../../protocol/client/cluster.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import { splitBatches } from '../../protocol/kafka/recordBatch.ts'
import { records } from '../../protocol/kafka/recordCursor.ts'
import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { decodeStatus, type Status, statusTopic } from '../../protocol/telemetry/status.ts'

const retryMs = 500
const mostDecompressedBytes = 16 * 1024 * 1024

export interface StatusFollower {
  stop(): Promise<void>
}

export function followStatus(
  cluster: Cluster,
  clock: Clock,
  logger: Logger,
  listener: (status: Status) => void,
): StatusFollower {
  const stopping = new AbortController()
  const done = follow(cluster, clock, logger, listener, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

async function follow(
  cluster: Cluster,
  clock: Clock,
  logger: Logger,
  listener: (status: Status) => void,
  signal: AbortSignal,
): Promise<void> {
  const reader = new PartitionReader(cluster, { topic: statusTopic, partition: 0, maxWaitMs: 250 })
  let offset: number | undefined
  while (!signal.aborted) {
    try {
      offset ??= await reader.latest()
      const { batches, nextOffset } = await reader.fetch(offset)
      readAll(batches, offset, logger, listener)
      offset = nextOffset
    } catch (error) {
      // The topic appears with its first status, and brokers restart: both pass.
      logger.debug({ err: error }, 'the status topic cannot be read yet')
      offset = undefined
      await sleep(clock, retryMs, signal)
    }
  }
}

/** Hands on every status from `offset` on. */
function readAll(
  bytes: Buffer,
  offset: number,
  logger: Logger,
  listener: (status: Status) => void,
): void {
  for (const batch of splitBatches(bytes)) {
    if (batch.nextOffset <= offset) continue
    for (const record of records(batch, mostDecompressedBytes)) {
      if (record.offset < offset || record.value === null) continue
      try {
        listener(decodeStatus(record.value))
      } catch (error) {
        logger.warn({ err: error, offset: record.offset }, 'a status record cannot be read')
      }
    }
  }
}
