// Temporary directories owned by a process: locked while it runs. Directories of processes that
// ended without removing them are removed when the next one is created.

import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isOperational } from '../operational.ts'
import type { Clock } from '../time/clock.ts'
import type { Disk, DiskLock } from './disk.ts'

export interface TemporaryDirectory {
  readonly path: string
  /** Abandoned directories that were removed when this one was created. */
  readonly removed: readonly string[]
  remove(): Promise<void>
}

interface Dependencies {
  readonly disk: Disk
  readonly clock: Clock
  /** Parent directory; the system's directory for temporary files unless given. */
  readonly parent?: string
}

/** Name of the lock of `Disk.lock`: a directory without it was never owned. */
const lockName = '.lock'
/** Age below which a directory may have an owner that has not locked it yet. */
const graceMs = 5_000

/** Creates `parent/prefixXXXXXX`, and removes abandoned directories with the same prefix. */
export async function makeTemporaryDirectory(
  prefix: string,
  { disk, clock, parent = tmpdir() }: Dependencies,
): Promise<TemporaryDirectory> {
  let removed: readonly string[]
  let path: string
  try {
    removed = await removeAbandoned(disk, clock, parent, prefix)
    path = await fs.mkdtemp(join(parent, prefix))
  } catch (error) {
    throw temporaryProblem(parent, error)
  }
  const lock = await disk.lock(path)
  return { path, removed, remove: () => removeLocked(path, lock) }
}

function temporaryProblem(parent: string, cause: unknown): unknown {
  if (!isOperational(cause)) return cause
  const { code } = cause as NodeJS.ErrnoException
  const message = `cannot create a temporary directory in ${parent} (${cause.message}): free space there, or set TMPDIR to a directory that this user can write to`
  return Object.assign(new Error(message), { code })
}

async function removeAbandoned(
  disk: Disk,
  clock: Clock,
  parent: string,
  prefix: string,
): Promise<string[]> {
  const removed: string[] = []
  for (const name of await fs.readdir(parent)) {
    if (!name.startsWith(prefix)) continue
    const path = join(parent, name)
    try {
      if (!(await mayBeAbandoned(path, clock))) continue
      await removeLocked(path, await disk.lock(path))
      removed.push(path)
    } catch (error) {
      // Best effort: its owner is running, or it cannot be removed.
      if (!isOperational(error)) throw error
    }
  }
  return removed
}

/**
 * Only a real directory of this user qualifies: other users can create anything in a shared
 * directory.
 */
async function mayBeAbandoned(path: string, clock: Clock): Promise<boolean> {
  const stat = await fs.lstat(path)
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) return false
  if (clock.nowMs() - stat.mtimeMs < graceMs) return false
  return (await fs.lstat(join(path, lockName))).isDirectory()
}

/**
 * Removes a directory while its lock is held, so that no other process uses a partly removed one.
 */
async function removeLocked(path: string, lock: DiskLock): Promise<void> {
  await fs.rm(path, { recursive: true, force: true })
  await lock.release()
}
