// Loads transaction index files, and rebuilds them from the log if they are damaged. A missing file
// is normal for a segment without aborted transactions; only if the other indexes of the segment
// are missing, too, was it removed, and is rebuilt with them.

import { join } from 'node:path'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { decodeProducerSnapshot } from '../../producers/producerSnapshot.ts'
import { ProducerState } from '../../producers/producerState.ts'
import { type BatchVisitor, RecoveryScan } from '../recoveryScan.ts'
import { runScan } from '../runScan.ts'
import { offsetsOfFiles, segmentFileName } from '../segmentFiles.ts'
import { TransactionIndex } from './transactionIndex.ts'

export interface SavedTransactions {
  readonly index: TransactionIndex
  /** Number of entries that are already in the file; undefined without a file. */
  readonly savedEntries: number | undefined
}

export async function loadTransactions(
  disk: Disk,
  directory: string,
  baseOffset: number,
): Promise<SavedTransactions> {
  const bytes = await disk.readFile(join(directory, segmentFileName(baseOffset, '.txnindex')))
  if (bytes === undefined) {
    const offsetIndex = await disk.stat(join(directory, segmentFileName(baseOffset, '.index')))
    const index = offsetIndex
      ? TransactionIndex.empty()
      : await rebuild(disk, directory, baseOffset)
    return { index, savedEntries: undefined }
  }
  const index = TransactionIndex.load(baseOffset, bytes)
  if (index.sizeInBytes === bytes.length) return { index, savedEntries: index.count }
  return { index: await rebuild(disk, directory, baseOffset), savedEntries: 0 }
}

/** Loads the transactions that ended below `offset`: a truncation leaves later ones in the file. */
export async function loadTransactionsBelow(
  offset: number,
  disk: Disk,
  directory: string,
  baseOffset: number,
): Promise<SavedTransactions> {
  const { index, savedEntries } = await loadTransactions(disk, directory, baseOffset)
  index.truncateFromOffset(offset)
  return { index, savedEntries: savedEntries && Math.min(savedEntries, index.count) }
}

/**
 * Rebuilds the index from the markers of the segment, and from earlier segments, which have the
 * transactions that were open at its start.
 */
async function rebuild(
  disk: Disk,
  directory: string,
  baseOffset: number,
): Promise<TransactionIndex> {
  const names = await disk.list(directory)
  const { producers, offset } = await stateBefore(disk, directory, names, baseOffset)
  const index = TransactionIndex.empty()
  for (const base of segmentsBetween(names, offset, baseOffset)) {
    await replay(disk, join(directory, segmentFileName(base, '.log')), base, (batch) => {
      if (batch.baseOffset < offset) return
      const completed = producers.append(batch, 0)
      if (base === baseOffset && completed && !completed.isCommit) index.append(completed)
    })
  }
  return index
}

/** The newest producer state at or below the base offset of the segment, with its offset. */
async function stateBefore(
  disk: Disk,
  directory: string,
  names: readonly string[],
  baseOffset: number,
): Promise<{ producers: ProducerState; offset: number }> {
  for (const offset of offsetsOfFiles(names, '.snapshot').toReversed()) {
    if (offset > baseOffset) continue
    const bytes = await disk.readFile(join(directory, segmentFileName(offset, '.snapshot')))
    const producers = bytes && decodeProducerSnapshot(bytes, Number.POSITIVE_INFINITY, 0)
    if (producers) return { producers, offset }
  }
  return { producers: new ProducerState(Number.POSITIVE_INFINITY), offset: 0 }
}

/** Base offsets from the segment that holds `offset` to the one at `lastBase`. */
function segmentsBetween(names: readonly string[], offset: number, lastBase: number): number[] {
  const bases = offsetsOfFiles(names, '.log').filter((base) => base <= lastBase)
  const first = bases.findLastIndex((base) => base <= offset)
  return bases.slice(Math.max(0, first))
}

async function replay(
  disk: Disk,
  path: string,
  baseOffset: number,
  visit: BatchVisitor,
): Promise<void> {
  const file = await disk.open(path, 'read')
  try {
    const { sizeBytes } = await file.stat()
    const verifyFrom = Number.MAX_SAFE_INTEGER
    const start = { position: 0, fileBytes: sizeBytes, nextOffset: baseOffset, verifyFrom }
    await runScan(file, new RecoveryScan(start, visit))
  } finally {
    await file.close()
  }
}
