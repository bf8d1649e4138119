// The real disk: node:fs behind the Disk interface.

import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { directoryProblem } from './directoryProblem.ts'
import {
  DirectoryInUseError,
  type Disk,
  type DiskFile,
  type DiskLock,
  type DiskStat,
} from './disk.ts'
import { expectingWarnings } from './experimentalFeature.ts'
import { SharedRuns } from './sharedRuns.ts'
import { totalBytes } from './totalBytes.ts'

/** The most buffers one writev call takes (IOV_MAX on Linux). */
const maxVectors = 1024

/** SQLite's code for a database that another connection, here or elsewhere, has locked. */
const sqliteBusy = 5

/** Locks are released by their holders or with the process, not by the garbage collector. */
const heldLocks = new Set<DatabaseSync>()

/** Where the limit of open files cannot be read. */
const usualMaxOpenFiles = 1024

/** Elsewhere the flag is missing, or does not reach through the disk's own cache as a sync does. */
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

  /** A short writev (a disk nearly full, a signal): writes what is left, or fails with the reason. */
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
      // Nothing has a name that is too long.
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

  // Node raises the limit as far as it may, so what the kernel says now holds.
  async maxOpenFiles() {
    const limits = await unlessMissing(() => fs.readFile('/proc/self/limits', 'utf8'))
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits ?? '') ?? []
    return soft === undefined ? usualMaxOpenFiles : Number(soft)
  },

  async totalBytes(directory) {
    const { blocks, bsize } = await fs.statfs(directory)
    return blocks * bsize
  },

  // SQLite's lock is the one portable lock held by the kernel (fcntl) that Node can reach without a
  // native addon: unlike a pid file it cannot outlive its process, and the database stays empty, so a
  // full disk is no hindrance. The file's name is that of LevelDB's lock, which earlier versions took:
  // their lock covers the bytes that SQLite locks.
  async lock(directory): Promise<DiskLock> {
    const path = join(directory, '.lock', 'LOCK')
    try {
      await madeWithParents(directory)
      await madeWithParents(dirname(path))
      // The system's own error says more than SQLite's. Never opened here when it exists: closing any
      // handle of a file releases the locks that the process has on it.
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

/** Throws DirectoryInUseError when somebody has the lock. */
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

/** SQLite is loaded when a directory is locked first: most commands lock none. */
function openDatabase(path: string): DatabaseSync {
  const sqlite = expectingWarnings(() => process.getBuiltinModule('node:sqlite'))
  return new sqlite.DatabaseSync(path, { timeout: 0 })
}

/** Shared by all who ask: thousands of partitions are made in one directory. */
const directorySyncs = new SharedRuns(async (directory) => {
  const handle = await fs.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
})

/** The first directory that had to be made, if any. */
async function madeDirectory(directory: string): Promise<string | undefined> {
  try {
    return await madeWithParents(resolve(directory))
  } catch (error) {
    throw directoryProblem('create', directory, error)
  }
}

/** Not `recursive` of Node, which never ends below a directory that takes no entries, such as /proc. */
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
