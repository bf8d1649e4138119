// Implements Disk with node:fs.

import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { expectingWarnings } from '../process/experimentalFeature.ts'
import { SharedRuns } from '../scheduling/sharedRuns.ts'
import { totalBytes } from '../totalBytes.ts'
import { directoryProblem } from './directoryProblem.ts'
import {
  DirectoryInUseError,
  type Disk,
  type DiskFile,
  type DiskLock,
  type DiskStat,
} from './disk.ts'

/** Limit on the buffers of one writev call (IOV_MAX on Linux). */
const maxVectors = 1024

/** SQLITE_BUSY: the database is locked by another connection, of this process or another one. */
const sqliteBusy = 5

/** Keeps locks from garbage collection: a lock ends with `release` or with the process. */
const heldLocks = new Set<DatabaseSync>()

/** Assumed limit on open files where /proc is not available. */
const usualMaxOpenFiles = 1024

/** Elsewhere O_DSYNC does not exist, or does not flush the cache of the device as a sync does. */
const hasSyncedWrites = process.platform === 'linux'

class NodeFile implements DiskFile {
  readonly path: string
  readonly #handle: fs.FileHandle
  readonly #syncsEachWrite: boolean

  constructor(path: string, handle: fs.FileHandle, syncsEachWrite: boolean) {
    this.path = path
    this.#handle = handle
    this.#syncsEachWrite = syncsEachWrite
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const { bytesRead } = await this.#handle.read(
        into,
        filled,
        into.length - filled,
        position + filled,
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    for (let first = 0; first < chunks.length; first += maxVectors) {
      const group = chunks.slice(first, first + maxVectors)
      const { bytesWritten } = await this.#handle.writev(group, position)
      position += bytesWritten
      const wanted = totalBytes(group)
      if (bytesWritten < wanted) position = await this.#writeRest(group, bytesWritten, position)
    }
    if (this.#syncsEachWrite) await this.sync()
  }

  /**
   * Writes the rest after a short writev (a nearly full disk, a signal), or fails with the reason.
   */
  async #writeRest(group: Uint8Array[], done: number, position: number): Promise<number> {
    for (const chunk of group) {
      let from = Math.min(done, chunk.length)
      done -= from
      while (from < chunk.length) {
        const { bytesWritten } = await this.#handle.write(
          chunk,
          from,
          chunk.length - from,
          position,
        )
        from += bytesWritten
        position += bytesWritten
      }
    }
    return position
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes)
  }

  async stat(): Promise<DiskStat> {
    return toStat(await this.#handle.stat())
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

export const nodeDisk: Disk = {
  async open(path, mode) {
    const isSynced = mode === 'writeSynced'
    const syncFlag = isSynced && hasSyncedWrites ? constants.O_DSYNC : 0
    const flags =
      mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT | syncFlag
    const handle = await fs.open(path, flags, 0o644)
    return new NodeFile(path, handle, isSynced && !hasSyncedWrites)
  },

  async list(directory) {
    return (await fs.readdir(directory)).sort()
  },

  async stat(path) {
    try {
      return toStat(await fs.stat(path))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A path with a name that is too long cannot exist.
      if (code === 'ENOENT' || code === 'ENAMETOOLONG') return undefined
      throw error
    }
  },

  async readFile(path) {
    return await unlessMissing(() => fs.readFile(path))
  },

  async writeFileAtomic(path, content) {
    const temporary = `${path}.tmp`
    const handle = await fs.open(temporary, 'w', 0o644)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(temporary, path)
    await nodeDisk.syncDirectory(dirname(path))
  },

  async makeDirectory(directory) {
    const first = await madeDirectory(directory)
    if (first === undefined) return
    for (let made = resolve(directory); made.startsWith(resolve(first)); made = dirname(made)) {
      await nodeDisk.syncDirectory(dirname(made))
    }
  },

  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.rm(path, { recursive: true, force: true }),

  syncDirectory: (directory) => directorySyncs.ask(directory),

  async freeBytes(directory) {
    const { bavail, bsize } = await fs.statfs(directory)
    return bavail * bsize
  },

  // Node has raised its limit at start, so the kernel reports the effective one.
  async maxOpenFiles() {
    const limits = await unlessMissing(() => fs.readFile('/proc/self/limits', 'utf8'))
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits ?? '') ?? []
    return soft === undefined ? usualMaxOpenFiles : Number(soft)
  },

  async totalBytes(directory) {
    const { blocks, bsize } = await fs.statfs(directory)
    return blocks * bsize
  },

  // SQLite provides the only kernel lock (fcntl) that Node can use without a native addon. Unlike a
  // pid file, it cannot outlive its process; the database stays empty, so a full disk does not
  // prevent it. The file has the name of LevelDB's lock, which earlier versions used: that lock
  // covers the bytes that SQLite locks.
  async lock(directory): Promise<DiskLock> {
    const path = join(directory, '.lock', 'LOCK')
    try {
      await madeWithParents(directory)
      await madeWithParents(dirname(path))
      // Checked first because the system's error is clearer than SQLite's. An existing file is
      // never opened here: closing any handle of a file releases the locks that the process has on
      // it.
      if ((await nodeDisk.stat(path)) === undefined) await (await fs.open(path, 'a')).close()
      await fs.access(path, constants.R_OK | constants.W_OK)
    } catch (error) {
      throw directoryProblem('write to', directory, error)
    }
    const holder = lockFile(path, directory)
    heldLocks.add(holder)
    return {
      async release() {
        if (heldLocks.delete(holder)) holder.close()
      },
    }
  },
}

/** Throws DirectoryInUseError when the file is locked. */
function lockFile(path: string, directory: string): DatabaseSync {
  let holder: DatabaseSync | undefined
  try {
    holder = openDatabase(path)
    holder.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return holder
  } catch (error) {
    holder?.close()
    const { errcode, message } = error as Error & { errcode?: number }
    if (errcode === sqliteBusy) throw new DirectoryInUseError(directory, error)
    throw Object.assign(new Error(`failed to lock ${path}: ${message}`, { cause: error }), {
      code: 'LOCK_FAILED',
    })
  }
}

/** Loads SQLite lazily: most commands lock no directory. */
function openDatabase(path: string): DatabaseSync {
  const sqlite = expectingWarnings(() => process.getBuiltinModule('node:sqlite'))
  return new sqlite.DatabaseSync(path, { timeout: 0 })
}

/** Concurrent syncs of one directory are merged: thousands of partitions are created in one. */
const directorySyncs = new SharedRuns(async (directory) => {
  const handle = await fs.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
})

/** Creates the directory; returns the topmost directory that was created, if any. */
async function madeDirectory(directory: string): Promise<string | undefined> {
  try {
    return await madeWithParents(resolve(directory))
  } catch (error) {
    throw directoryProblem('create', directory, error)
  }
}

/** Replaces Node's `recursive` option, which never ends below a directory such as /proc. */
async function madeWithParents(directory: string): Promise<string | undefined> {
  try {
    await fs.mkdir(directory)
    return directory
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (await isDirectory(directory)) return undefined
    if (code !== 'ENOENT' || dirname(directory) === directory) throw error
  }
  const first = await madeWithParents(dirname(directory))
  await fs.mkdir(directory).catch(async (error) => {
    if (!(await isDirectory(directory))) throw error
  })
  return first ?? directory
}

async function isDirectory(path: string): Promise<boolean> {
  return await fs.stat(path).then(
    (stat) => stat.isDirectory(),
    () => false,
  )
}

function toStat(stat: {
  size: number
  mtimeMs: number
  dev: number
  ino: number
  isDirectory(): boolean
  isFile(): boolean
}): DiskStat {
  return {
    sizeBytes: stat.size,
    modifiedMs: stat.mtimeMs,
    device: stat.dev,
    inode: stat.ino,
    isDirectory: stat.isDirectory(),
    isFile: stat.isFile(),
  }
}

async function unlessMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
