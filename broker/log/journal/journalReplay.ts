// Brings acknowledged records back after a crash: reads what the journal's files hold and writes it
// where it belongs, before any log is opened. Writing the same bytes again changes nothing, so a
// crash on the way is no harm. What it must never do is touch a file that has since been replaced:
// the entries of those were declared settled first (commitJournal.ts); or leave a hole in one, as a
// position that is not what it was would: what is appended to a segment follows what is there.

import { join } from 'node:path'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import { segmentFileName } from '../segment/segmentFiles.ts'
import { decodeGroup, type FoundGroup, groupPrefixBytes, groupSizes } from './journalGroup.ts'
import { type ReplayedBytes, type ReplayedSegment, ReplayPlan } from './replayPlan.ts'

export interface ReplayOptions {
  readonly disk: Disk
  readonly logger: Logger
  /** The data directory, in which the partitions' directories are. */
  readonly directory: string
  /** Everything of a partition below this offset is in its files for certain. */
  readonly recoveryPointOf: (name: string) => number
  /**
   * Told of each segment that was synced, so that nobody needs to sync it again until it is written
   * to.
   */
  readonly synced?: (name: string, baseOffset: number) => void
}

/** A group, and where in its file it begins. */
interface PlacedGroup extends FoundGroup {
  readonly position: number
}

const copyBytes = 1024 * 1024

/** Returns when everything that the files hold is durable in the segments. */
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
  // Side by side, for each of them is synced.
  await inParallel([...plan.segments()], async (segment) => {
    const written = await replaySegment(segment, files, options)
    bytes += written
  })
  if (bytes > 0) options.logger.info({ bytes }, 'replayed the commit journal')
}

/** From the start of the file on, as far as groups of one run follow one another. */
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

/**
 * The first file's groups lead up to the second's: if they do not, bytes were lost that were
 * synced.
 */
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
  // Removed since, with its records: by retention, or with its topic.
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
    // Bytes that were there already may be so only in the system's memory.
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

/**
 * Writes only what differs: after the end of a process, other than of the machine, nothing does.
 */
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
