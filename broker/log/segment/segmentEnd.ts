// Finds the offset after the last batch of a complete segment file with two small reads, from the
// last entry of its offset index on, which is a few kilobytes before the end.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { offsetIndexEntryBytes as entryBytes } from './indexes/offsetIndex.ts'
import { RecoveryScan } from './recoveryScan.ts'
import { runScan } from './runScan.ts'
import { segmentFileName } from './segmentFiles.ts'

/**
 * A segment of at most this size is scanned whole if its index is unusable; a larger one is not.
 */
const walkedWholeBytes = 64 * 1024

/** Undefined if the end cannot be found this cheaply, or the last batches are damaged. */
export async function segmentEnd(
  disk: Disk,
  directory: string,
  baseOffset: number,
): Promise<number | undefined> {
  const indexed = await lastIndexedPosition(disk, directory, baseOffset)
  const file = await disk.open(join(directory, segmentFileName(baseOffset, '.log')), 'read')
  try {
    const { sizeBytes: fileBytes } = await file.stat()
    const position = indexed < fileBytes ? indexed : 0
    if (position === 0 && fileBytes > walkedWholeBytes) return undefined
    const start = { position, fileBytes, nextOffset: baseOffset, verifyFrom: baseOffset }
    const scan = new RecoveryScan(start, () => {})
    await runScan(file, scan)
    return scan.defect === undefined ? scan.nextOffset : undefined
  } finally {
    await file.close()
  }
}

/** 0 without an entry. */
async function lastIndexedPosition(
  disk: Disk,
  directory: string,
  baseOffset: number,
): Promise<number> {
  const path = join(directory, segmentFileName(baseOffset, '.index'))
  const sizeBytes = (await disk.stat(path))?.sizeBytes ?? 0
  if (sizeBytes < entryBytes) return 0
  const file = await disk.open(path, 'read')
  try {
    const entry = Buffer.alloc(entryBytes)
    const at = sizeBytes - (sizeBytes % entryBytes) - entryBytes
    const filled = await file.read(entry, at)
    return filled === entryBytes ? Math.max(0, entry.readInt32BE(4)) : 0
  } finally {
    await file.close()
  }
}
