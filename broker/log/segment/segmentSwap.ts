// Replaces several segments by one on the disk, in Kafka's steps and with its suffixes. A crash at
// any point leaves either the old segments or the new one: `.cleaned` files are incomplete and are
// removed at the next start; once the `.log.swap` file exists durably, the new segment counts, and
// the next start completes the swap. Knows nothing about cleaning.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { corruptLog, type LogError } from '../logError.ts'
import { RecoveryScan } from './recoveryScan.ts'
import { runScan } from './runScan.ts'
import {
  offsetsOfFiles,
  type SegmentSuffix,
  segmentFileName,
  segmentSuffixes,
} from './segmentFiles.ts'

/**
 * The log is renamed last: while it still has the suffix `.swap`, the others can be renamed again.
 */
const indexSuffixes = ['.index', '.timeindex', '.txnindex'] as const

/** The offsets of the replaced segments. */
export interface SwapRange {
  readonly baseOffset: number
  /** The offset after the last replaced one. */
  readonly nextOffset: number
}

/** The name of a segment's file while the cleaner writes it. */
export function cleanedFileName(baseOffset: number, suffix: SegmentSuffix): string {
  return `${segmentFileName(baseOffset, suffix)}.cleaned`
}

/** Replaces all segments inside the range by the `.cleaned` files, which must be synced. */
export async function swapSegments(disk: Disk, directory: string, range: SwapRange): Promise<void> {
  const names = new Set(await disk.list(directory))
  const move = async (suffix: SegmentSuffix) => {
    const cleaned = cleanedFileName(range.baseOffset, suffix)
    if (!names.has(cleaned)) return
    await disk.rename(join(directory, cleaned), join(directory, swapFileName(range, suffix)))
  }
  for (const suffix of indexSuffixes) await move(suffix)
  await disk.syncDirectory(directory)
  await move('.log')
  await disk.syncDirectory(directory)
  await finishSwap(disk, directory, range)
}

/** Whether a crash has left files of a swap among the names of a partition's files. */
export function hasSwaps(names: readonly string[]): boolean {
  return names.some((name) => name.endsWith('.cleaned') || name.endsWith('.swap'))
}

/**
 * Completes or undoes swaps that a crash interrupted. Returns the damage if a new segment is not
 * what was synced.
 */
export async function recoverSwaps(disk: Disk, directory: string): Promise<LogError | undefined> {
  const names = await disk.list(directory)
  for (const name of names) {
    if (name.endsWith('.cleaned')) await disk.remove(join(directory, name))
  }
  const swaps = names.filter((name) => name.endsWith('.swap'))
  const begun = offsetsOfFiles(
    swaps.map((name) => name.slice(0, -'.swap'.length)),
    '.log',
  )
  for (const baseOffset of begun) {
    const path = join(directory, swapFileName({ baseOffset }, '.log'))
    const scan = await scanFile(disk, path, baseOffset)
    if (scan.defect !== undefined) return corruptLog(path, scan.position, scan.defect)
    await finishSwap(disk, directory, { baseOffset, nextOffset: scan.nextOffset })
  }
  // Indexes without their log: the new segment does not count yet.
  for (const name of swaps) await disk.remove(join(directory, name))
  return undefined
}

/** Removes the old segments, then renames the new one. Can be repeated after a crash. */
async function finishSwap(disk: Disk, directory: string, range: SwapRange): Promise<void> {
  const names = await disk.list(directory)
  const replaced = offsetsOfFiles(names, '.log').filter(
    (base) => base > range.baseOffset && base < range.nextOffset,
  )
  for (const base of replaced) {
    for (const suffix of segmentSuffixes) {
      await disk.remove(join(directory, segmentFileName(base, suffix)))
    }
  }
  await disk.syncDirectory(directory)
  for (const suffixes of [indexSuffixes, ['.log'] as const]) {
    for (const suffix of suffixes) {
      const swap = swapFileName(range, suffix)
      if (!names.includes(swap)) continue
      const name = segmentFileName(range.baseOffset, suffix)
      await disk.rename(join(directory, swap), join(directory, name))
    }
    await disk.syncDirectory(directory)
  }
}

function swapFileName(
  { baseOffset }: Pick<SwapRange, 'baseOffset'>,
  suffix: SegmentSuffix,
): string {
  return `${segmentFileName(baseOffset, suffix)}.swap`
}

async function scanFile(disk: Disk, path: string, baseOffset: number): Promise<RecoveryScan> {
  const file = await disk.open(path, 'read')
  try {
    const { sizeBytes } = await file.stat()
    const start = {
      position: 0,
      fileBytes: sizeBytes,
      nextOffset: baseOffset,
      verifyFrom: Number.MAX_SAFE_INTEGER,
    }
    const scan = new RecoveryScan(start, () => undefined)
    await runScan(file, scan)
    return scan
  } finally {
    await file.close()
  }
}
