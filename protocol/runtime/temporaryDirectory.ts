// Temporary directories that their process owns: each is locked while its process lives, and those of
// processes that died without removing theirs are removed by the next one that makes one.

import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import type { Disk, DiskLock } from './disk.ts'
import { isOperational } from './operational.ts'

export interface TemporaryDirectory {
  readonly path: string
  /** Directories of dead processes that were removed when this one was made. */
  readonly removed: readonly string[]
  remove(): Promise<void>
}

interface Surroundings {
  readonly disk: Disk
  readonly clock: Clock
  /** Where it is made; the system's directory for temporary files unless given. */
  readonly parent?: string
}

/** Where `Disk.lock` keeps its lock: a directory without one was never owned. */
const lockName = '.lock'
/** A directory younger than this may have an owner that has not locked it yet. */
const graceMs = 5_000

/** Makes `parent/prefixXXXXXX`, and removes those with the prefix whose owners are dead. */
export async function makeTemporaryDirectory(
  prefix: string,
  { disk, clock, parent = tmpdir() }: Surroundings,
): Promise<TemporaryDirectory> {
  let removed: readonly string[]
  let path: string
  try {
    removed = await removeDead(disk, clock, parent, prefix)
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
  const message = `cannot create a temporary directory in ${parent} (${cause.message}): free space there, or set TMPDIR to a directory that this user may write to`
  return Object.assign(new Error(message), { code })
}

async function removeDead(
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
      if (!(await mayBeDead(path, clock))) continue
      await removeLocked(path, await disk.lock(path))
      removed.push(path)
    } catch (error) {
      // Its owner lives, or it is damaged or forbidden: no reason not to start.
      if (!isOperational(error)) throw error
    }
  }
  return removed
}

/** Others may put anything into a shared directory: only a real directory of this user's is touched. */
async function mayBeDead(path: string, clock: Clock): Promise<boolean> {
  const stat = await fs.lstat(path)
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) return false
  if (clock.nowMs() - stat.mtimeMs < graceMs) return false
  return (await fs.lstat(join(path, lockName))).isDirectory()
}

/** Removes while the lock is held, so that nobody takes a directory that is half removed for its own. */
async function removeLocked(path: string, lock: DiskLock): Promise<void> {
  await fs.rm(path, { recursive: true, force: true })
  await lock.release()
}
