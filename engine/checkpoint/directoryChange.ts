// An atomic change of several files and subdirectories of a job's directory: it is first written to
// a note with all its contents, then carried out, and completed at the next start after a crash.
// For logs and state that must change together, while no job runs.

import { dirname, join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { CheckpointError } from './checkpointError.ts'

export interface DirectoryChange {
  /** New contents, by path within the directory. */
  readonly files?: Readonly<Record<string, Uint8Array>>
  /**
   * Renames within the directory, in this order. A rename whose `to` exists, or whose `from` does
   * not, counts as done. A path that exists before the change may be a `to` only if an earlier
   * rename moves it away.
   */
  readonly renames?: readonly Rename[]
}

export interface Rename {
  readonly from: string
  readonly to: string
}

/** Target for renames of paths that are no longer needed; removed when the change is complete. */
export const discarded = 'discarded'
const note = 'change.json'
const formatVersion = 1

interface Note {
  readonly formatVersion: number
  /** Base64. */
  readonly files: Readonly<Record<string, string>>
  readonly renames: readonly Rename[]
}

/**
 * Resolves when the change is durable. The directory must be locked, and `finishChange` called
 * before.
 */
export async function changeDirectory(
  disk: Disk,
  directory: string,
  { files = {}, renames = [] }: DirectoryChange,
): Promise<void> {
  const encoded = Object.entries(files).map(([path, content]) => {
    return [path, Buffer.from(content).toString('base64')] as const
  })
  const noted: Note = { formatVersion, files: Object.fromEntries(encoded), renames }
  await disk.writeFileAtomic(join(directory, note), Buffer.from(JSON.stringify(noted)))
  await finishChange(disk, directory)
}

/** Completes an interrupted change, and removes what changes have discarded. */
export async function finishChange(disk: Disk, directory: string): Promise<void> {
  const path = join(directory, note)
  const content = await disk.readFile(path)
  if (content !== undefined) {
    // The process that wrote the note may have been killed before the note was durable: after a
    // power failure now, part of the change could exist without it.
    await disk.syncDirectory(directory)
    await make(disk, directory, parse(path, content))
    await disk.remove(path)
    await disk.syncDirectory(directory)
  }
  // Discarded paths are removed only after the removal of the note is durable: a repeated change
  // would discard the paths that it has put in place.
  if ((await disk.stat(join(directory, discarded))) === undefined) return
  await disk.remove(join(directory, discarded))
  await disk.syncDirectory(directory)
}

async function make(disk: Disk, directory: string, { files, renames }: Note): Promise<void> {
  for (const rename of renames) {
    const from = join(directory, rename.from)
    const to = join(directory, rename.to)
    if ((await disk.stat(to)) !== undefined || (await disk.stat(from)) === undefined) continue
    await makeFolder(disk, directory, dirname(rename.to))
    await disk.rename(from, to)
    await disk.syncDirectory(dirname(from))
    await disk.syncDirectory(dirname(to))
  }
  for (const [path, content] of Object.entries(files)) {
    await makeFolder(disk, directory, dirname(path))
    await disk.writeFileAtomic(join(directory, path), Buffer.from(content, 'base64'))
  }
}

/**
 * Creates the directory durably; `makeDirectory` does not make an existing directory durable.
 */
async function makeFolder(disk: Disk, directory: string, path: string): Promise<void> {
  if (path === '.') return
  await makeFolder(disk, directory, dirname(path))
  await disk.makeDirectory(join(directory, path))
  await disk.syncDirectory(dirname(join(directory, path)))
}

function parse(path: string, content: Buffer): Note {
  try {
    const noted = JSON.parse(content.toString()) as Note
    if (noted.formatVersion === formatVersion) return noted
  } catch (cause) {
    throw new CheckpointError('CHECKPOINT_DAMAGED', `${path} is damaged; ${advice}`, cause)
  }
  throw new CheckpointError('CHECKPOINT_NEWER', `${path} was written by a newer version; ${advice}`)
}

const advice =
  "it describes an unfinished change of the job's directory: start the job with the version of " +
  'Millrace that wrote it, or restore a copy of the whole directory'
