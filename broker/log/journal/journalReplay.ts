// Replays the commit journal after a crash: writes the bytes in its files to their segments, before
// any log is opened. Idempotent, so a crash during the replay does no harm. Must never write to a
// file that was replaced since (commitJournal.ts has marked its entries as settled before), nor
// leave a gap in a segment: bytes for a position beyond the end of a segment are skipped and
// reported.

import { join } from 'node:path'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import { segmentFileName } from '../segment/segmentFiles.ts'
import { decodeGroup, type FoundGroup, groupPrefixBytes, groupSizes } from './journalGroup.ts'
import { type ReplayedBytes, type ReplayedSegment, ReplayPlan } from './replayPlan.ts'

export interface ReplayOptions {
  readonly disk: Disk
  readonly logger: Logger
  /** The data directory, which has the directories of the partitions. */
  readonly directory: string
  /** All records of the partition below this offset are durable in its files. */
  readonly recoveryPointOf: (name: string) => number
  /**
   * Called with each segment that was synced and so need not be synced again until it is written
   * to.
   */
  readonly synced?: (name: string, baseOffset: number) => void
}

/** A group and its position in the journal file. */
interface PlacedGroup extends FoundGroup {
  readonly position: number
}

const copyBytes = 1024 * 1024

/** Resolves when everything in the journal files is durable in the segments. */
export async function replayJournal(
  files: readonly DiskFile[],
  options: ReplayOptions,
): Promise<void> {
  const found: { file: number; groups: PlacedGroup[] }[] = []
  for (const [file, source] of files.entries()) {
    const groups = await readGroups(source)
    if (groups.length > 0) found.push({ file, groups })
  }
  if (found.length === 0) return
  found.sort((one, other) => one.groups[0]!.place.sequence - other.groups[0]!.place.sequence)
  reportGaps(files, found, options.logger)
  const plan = new ReplayPlan()
  for (const { file, groups } of found) {
    for (const { entries, position } of groups) {
      for (const entry of entries) plan.add(entry, file, position)
    }
  }
  let bytes = 0
  // In parallel, because each segment is synced.
  await inParallel([...plan.segments()], async (segment) => {
    const written = await replaySegment(segment, files, options)
    bytes += written
  })
  if (bytes > 0) options.logger.info({ bytes }, 'replayed the commit journal')
}

/** Reads from the start of the file while groups of one run follow each other. */
async function readGroups(file: DiskFile): Promise<PlacedGroup[]> {
  const groups: PlacedGroup[] = []
  const { sizeBytes } = await file.stat()
  for (let position = 0; ; ) {
    const sizes = groupSizes(await readAt(file, position, groupPrefixBytes))
    if (sizes === undefined || position + sizes.groupBytes > sizeBytes) return groups
    const group = decodeGroup(await readAt(file, position, sizes.groupBytes))
    if (group === undefined) return groups
    const before = groups.at(-1)?.place
    const follows =
      before === undefined ||
      (group.place.sequence === before.sequence + 1 && group.place.runId.equals(before.runId))
    if (!follows) return groups
    groups.push({ ...group, position })
    position += sizes.groupBytes
  }
}

/** The groups of the second file continue those of the first: otherwise synced bytes were lost. */
function reportGaps(
  files: readonly DiskFile[],
  found: readonly { file: number; groups: PlacedGroup[] }[],
  logger: Logger,
): void {
  for (const [at, { groups }] of found.slice(1).entries()) {
    const before = found[at]!
    const last = before.groups.at(-1)!.place
    const next = groups[0]!.place
    if (next.sequence === last.sequence + 1 && next.runId.equals(last.runId)) continue
    const { path } = files[before.file]!
    logger.error(
      { path, lastGroup: last.sequence, nextGroup: next.sequence },
      'the commit journal is damaged: records acknowledged shortly before the crash may be missing',
    )
  }
}

async function replaySegment(
  { name, baseOffset, writes }: ReplayedSegment,
  files: readonly DiskFile[],
  { disk, directory, recoveryPointOf, synced, logger }: ReplayOptions,
): Promise<number> {
  const recoveryPoint = recoveryPointOf(name)
  const needed = writes.filter(({ endOffset }) => endOffset > recoveryPoint)
  if (needed.length === 0) return 0
  const path = join(directory, name, segmentFileName(baseOffset, '.log'))
  // The segment was removed since with its records, by retention or with its topic.
  if ((await disk.stat(path)) === undefined) return 0
  const file = await disk.open(path, 'write')
  const astray: ReplayedBytes[] = []
  let bytes = 0
  try {
    let { sizeBytes } = await file.stat()
    for (const write of needed) {
      if (write.position < 0 || write.position > sizeBytes) {
        astray.push(write)
        continue
      }
      bytes += await replayBytes(write, files, file)
      sizeBytes = Math.max(sizeBytes, write.position + write.lengthBytes)
    }
    if (astray.length > 0) reportAstray(path, sizeBytes, astray, logger)
    // Bytes that were in the file before may be in the page cache only.
    await file.sync()
    synced?.(name, baseOffset)
  } finally {
    await file.close()
  }
  return bytes
}

function reportAstray(
  path: string,
  sizeBytes: number,
  astray: readonly ReplayedBytes[],
  logger: Logger,
): void {
  const { position, endOffset } = astray[0]!
  logger.error(
    { path, sizeBytes, position, endOffset, entries: astray.length },
    'the commit journal is damaged: it has bytes for a position beyond the end of the segment; records acknowledged before the crash may be missing from there on',
  )
}

/** Writes only bytes that differ: there are none unless the machine has crashed. */
async function replayBytes(
  write: ReplayedBytes,
  files: readonly DiskFile[],
  segment: DiskFile,
): Promise<number> {
  let written = 0
  for (let done = 0; done < write.lengthBytes; ) {
    const length = Math.min(copyBytes, write.lengthBytes - done)
    const bytes = await readAt(files[write.file]!, write.filePosition + done, length)
    const position = write.position + done
    if (!bytes.equals(await readAt(segment, position, length))) {
      await segment.write([bytes], position)
      written += length
    }
    done += length
  }
  return written
}

async function readAt(file: DiskFile, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  return bytes.subarray(0, await file.read(bytes, position))
}
