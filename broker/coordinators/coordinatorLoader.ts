// Loads one partition of a coordinator's topic, from its first batch to its last. Decides nothing
// about the records. A partition that cannot be read fails with COORDINATOR_LOAD_FAILED, which
// names the offset and the remedy.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import { BrokerError } from '../errors.ts'
import { LogError } from '../log/logError.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import type { ReadResult } from '../log/readResult.ts'

const readBytes = 1024 * 1024

export interface LoadSource {
  readonly topic: string
  readonly partition: number
  readonly log: PartitionLog
  readonly rarePoints: RarePoints | undefined
  /** What is lost if the partition is removed because it cannot be read. Shown in the error. */
  readonly contents: string
}

/**
 * Visits every batch in the order of the log. Stops early, without an error, when `isWanted`
 * returns false after a read: the partition was resigned, or is loaded again in a newer epoch.
 */
export async function loadPartition(
  source: LoadSource,
  visit: (batch: RecordBatch) => void,
  isWanted: () => boolean,
): Promise<void> {
  const { log } = source
  let offset = log.logStartOffset
  while (offset < log.logEndOffset) {
    const { bytes, errorCode } = await read(source, offset)
    if (!isWanted()) return
    const before = offset
    for (const batch of splitBatches(bytes)) {
      offset = batch.nextOffset
      try {
        visit(batch)
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error
        throw loadFailed(source, batch.baseOffset, error.message)
      }
    }
    // Compaction leaves gaps, also at the end of a read, but a read returns at least one batch.
    if (errorCode !== ErrorCode.none || offset === before) {
      throw loadFailed(source, offset, `error ${errorCode}`)
    }
  }
}

async function read(source: LoadSource, offset: number): Promise<ReadResult> {
  try {
    const isSmall = source.rarePoints?.isForced('coordinator loaded in small reads')
    return await source.log.read(offset, isSmall ? 1 : readBytes, { upTo: 'logEnd' })
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    throw loadFailed(source, offset, error.message)
  }
}

function loadFailed(
  { topic, partition, contents }: LoadSource,
  offset: number,
  reason: string,
): BrokerError {
  return new BrokerError(
    'COORDINATOR_LOAD_FAILED',
    `${topic}-${partition} cannot be read at offset ${offset} (${reason}): restore the directory from a backup, or remove it to start without ${contents}`,
  )
}
