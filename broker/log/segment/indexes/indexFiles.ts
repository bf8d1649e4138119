// Loads and saves index files, and rebuilds them from the segment if they are missing or damaged.
// Entries of a file are used only up to the first invalid one.

import { join } from 'node:path'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { RecoveryScan } from '../recoveryScan.ts'
import { runScan } from '../runScan.ts'
import { segmentFileName } from '../segmentFiles.ts'
import { OffsetIndex } from './offsetIndex.ts'
import { SegmentIndexes } from './segmentIndexes.ts'
import { TimeIndex } from './timeIndex.ts'

/** Numbers of entries. */
export interface IndexCounts {
  readonly offsets: number
  readonly times: number
}

/** An index in the format of its file: entries of one size, in order. */
export interface SavableIndex {
  readonly sizeInBytes: number
  /** The bytes of the entries from index `entry` on. */
  copyFrom(entry: number): Buffer
}

const noBytes = Buffer.alloc(0)

/** Loads the valid part of both index files; `whole` if all entries are valid. */
export async function loadIndexes(
  disk: Disk,
  directory: string,
  baseOffset: number,
  segmentBytes: number,
  intervalBytes: number,
): Promise<{ indexes: SegmentIndexes; whole: boolean }> {
  const offsetBytes = await disk.readFile(join(directory, segmentFileName(baseOffset, '.index')))
  const timeBytes = await disk.readFile(join(directory, segmentFileName(baseOffset, '.timeindex')))
  const offsets = OffsetIndex.load(baseOffset, offsetBytes ?? noBytes, segmentBytes)
  const times = TimeIndex.load(baseOffset, timeBytes ?? noBytes)
  const whole =
    offsets.sizeInBytes === offsetBytes?.length && times.sizeInBytes === timeBytes?.length
  return { indexes: new SegmentIndexes(offsets, times, intervalBytes), whole }
}

/** Loads the indexes of a sealed segment from their files, or rebuilds them from its batches. */
export async function loadOrRebuildIndexes(
  disk: Disk,
  directory: string,
  baseOffset: number,
  segmentBytes: number,
  intervalBytes: number,
): Promise<SegmentIndexes> {
  const loaded = await loadIndexes(disk, directory, baseOffset, segmentBytes, intervalBytes)
  if (loaded.whole) return loaded.indexes
  const indexes = SegmentIndexes.empty(baseOffset, intervalBytes)
  const start = {
    position: 0,
    fileBytes: segmentBytes,
    nextOffset: baseOffset,
    verifyFrom: Number.MAX_SAFE_INTEGER,
  }
  const scan = new RecoveryScan(start, (batch, position) => {
    indexes.observe(batch.lastOffset, batch.maxTimestamp, position, batch.sizeInBytes)
  })
  const file = await disk.open(join(directory, segmentFileName(baseOffset, '.log')), 'read')
  try {
    await runScan(file, scan)
  } finally {
    await file.close()
  }
  indexes.noteMaxTimestamp()
  return indexes
}

/**
 * Makes the file hold exactly the index, of which it already has the first `savedEntries`. Durable.
 */
export async function saveIndex(
  disk: Disk,
  path: string,
  index: SavableIndex,
  savedEntries: number,
): Promise<void> {
  const entries = index.copyFrom(savedEntries)
  const position = index.sizeInBytes - entries.length
  const file = await disk.open(path, 'write')
  try {
    await file.truncate(position)
    if (entries.length > 0) await file.write([entries], position)
    await file.sync()
  } finally {
    await file.close()
  }
}
