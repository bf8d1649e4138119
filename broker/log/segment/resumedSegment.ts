// Reopens the active segment of a log in the state that was saved at the last close
// (restingLog.ts): loads its indexes and checks that the segment still ends where it did. A
// difference is damage, and must be reported before anything is written after it.

import { join } from 'node:path'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { corruptLog } from '../logError.ts'
import { type IndexCounts, loadIndexes } from './indexes/indexFiles.ts'
import { SegmentIndexes } from './indexes/segmentIndexes.ts'
import { TransactionIndex } from './indexes/transactionIndex.ts'
import { loadTransactionsBelow, type SavedTransactions } from './indexes/transactionIndexFile.ts'
import { RecoveryScan } from './recoveryScan.ts'
import { runScan } from './runScan.ts'
import { segmentFileName } from './segmentFiles.ts'

/** The segment as it was closed. */
export interface ClosedEnd {
  readonly baseOffset: number
  readonly sizeBytes: number
  readonly nextOffset: number
}

export interface ResumedSegment {
  readonly indexes: SegmentIndexes
  /** Number of entries that are already in the index files. */
  readonly savedEntries: IndexCounts
  readonly transactions: SavedTransactions
}

/** Throws LogError if the segment does not end where it did. */
export async function resumeSegment(
  disk: Disk,
  directory: string,
  file: DiskFile,
  closed: ClosedEnd,
  intervalBytes: number,
): Promise<ResumedSegment> {
  const { sizeBytes: fileBytes } = await file.stat()
  const { baseOffset, sizeBytes, nextOffset } = closed
  if (fileBytes !== sizeBytes) {
    const defect = `the file has ${fileBytes} bytes, but had ${sizeBytes} when it was closed`
    throw corruptLog(file.path, Math.min(fileBytes, sizeBytes), defect)
  }
  if (sizeBytes === 0) return await emptySegment(disk, directory, baseOffset, intervalBytes)
  const { indexes } = await loadIndexes(disk, directory, baseOffset, fileBytes, intervalBytes)
  const position = indexes.rewind(nextOffset)
  const savedEntries = { offsets: indexes.offsets.count, times: indexes.times.count }
  const start = { position, fileBytes, nextOffset: baseOffset, verifyFrom: nextOffset }
  const scan = new RecoveryScan(start, (batch, at) => {
    indexes.observe(batch.lastOffset, batch.maxTimestamp, at, batch.sizeInBytes)
  })
  await runScan(file, scan)
  if (scan.defect !== undefined) throw corruptLog(file.path, scan.position, scan.defect)
  if (scan.nextOffset !== nextOffset) {
    const defect = `its last offset is ${scan.nextOffset - 1}, but was ${nextOffset - 1} when it was closed`
    throw corruptLog(file.path, scan.position, defect)
  }
  const transactions = await loadTransactionsBelow(nextOffset, disk, directory, baseOffset)
  return { indexes, savedEntries, transactions }
}

async function emptySegment(
  disk: Disk,
  directory: string,
  baseOffset: number,
  intervalBytes: number,
): Promise<ResumedSegment> {
  const leftOver = await disk.stat(join(directory, segmentFileName(baseOffset, '.txnindex')))
  return {
    indexes: SegmentIndexes.empty(baseOffset, intervalBytes),
    savedEntries: { offsets: 0, times: 0 },
    transactions: { index: TransactionIndex.empty(), savedEntries: leftOver && 0 },
  }
}
