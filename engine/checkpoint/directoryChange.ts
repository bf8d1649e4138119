// A change of several files and folders of a job's directory that happens as a whole, whenever power fails:
// it is noted first, with all that it writes, then made, and made to its end when the directory is next
// taken. For logs and state that must change together, while no job runs.

import { dirname, join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk.ts'
import { CheckpointError } from './checkpointError.ts'

export interface DirectoryChange {
  /** New contents, by path within the directory. */
  readonly files?: Readonly<Record<string, Uint8Array>>
  /**
   * In this order, within the directory. A rename whose `to` exists, or whose `from` does not, was made
   * already. Nothing that exists before the change may be a `to` that is not the `from` of an earlier one.
   */
  readonly renames?: readonly Rename[]
}

export interface Rename {
  readonly from: string
  readonly to: string
}

/** Where a rename may put what is not needed any more: it is removed when the change is whole. */
export const discarded = 'discarded'
const note = 'change.json'
const formatVersion = 1

interface Note {
  readonly formatVersion: number
  /** Base64. */
  readonly files: Readonly<Record<string, string>>
  readonly renames: readonly Rename[]
}

/** Resolves when the change is durable. The directory must be locked, and `finishChange` done. */
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

/** Makes a change that was broken off to its end, and removes what changes have discarded. */
export async function finishChange(disk: Disk, directory: string): Promise<void> {
  const path = join(directory, note)
  const content = await disk.readFile(path)
  if (content !== undefined) {
    // The process that noted it may have been killed before that was durable: a power failure now must not
    // leave a part of the change without the note.
    await disk.syncDirectory(directory)
    await make(disk, directory, parse(path, content))
    await disk.remove(path)
    await disk.syncDirectory(directory)
  }
  // Not before the note is durably gone: made again, the change would discard what it has put in place.
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

/** Durable, which `makeDirectory` of a folder that exists already is not known to be. */
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
    throw new CheckpointError('CHECKPOINT_DAMAGED', `${path} is damaged: ${advice}`, cause)
  }
  throw new CheckpointError('CHECKPOINT_NEWER', `${path} was written by a newer version: ${advice}`)
}

const advice =
  "it notes a change of the job's directory that is not finished; start the job with the version of " +
  'Millrace that wrote it, or put back a copy of the whole directory'
