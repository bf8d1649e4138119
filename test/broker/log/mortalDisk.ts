// A disk as one process sees it. A MemoryDisk can be used again immediately after a power failure;
// code that ran before it, still inside a promise, must neither touch the disk nor see an operation
// succeed. Every incarnation of a log in a crash test gets its own MortalDisk.

import type { Disk, DiskFile, DiskLock } from '../../../protocol/runtime/disk/disk.ts'

export interface MortalDisk extends Disk {
  /** From now on every operation fails, including those in flight. Closes its files and locks. */
  kill(): void
  readonly isAlive: boolean
}

export function mortalDisk(disk: Disk): MortalDisk {
  let isDead = false
  const locks: DiskLock[] = []
  const files = new Set<DiskFile>()
  const mustLive = () => {
    if (isDead) throw Object.assign(new Error('EDEAD: the process has ended'), { code: 'EDEAD' })
  }
  const alive = async <T>(operation: () => Promise<T>): Promise<T> => {
    mustLive()
    const result = await operation()
    mustLive()
    return result
  }
  const wrap = (file: DiskFile): DiskFile => {
    files.add(file)
    return wrapped(file)
  }
  const wrapped = (file: DiskFile): DiskFile => ({
    path: file.path,
    read: (into, position) => alive(() => file.read(into, position)),
    write: (chunks, position) => alive(() => file.write(chunks, position)),
    sync: () => alive(() => file.sync()),
    truncate: (sizeBytes) => alive(() => file.truncate(sizeBytes)),
    stat: () => alive(() => file.stat()),
    close: () => {
      files.delete(file)
      return file.close()
    },
  })
  return {
    kill: () => {
      isDead = true
      for (const lock of locks.splice(0)) void lock.release()
      for (const file of files) void file.close()
    },
    get isAlive() {
      return !isDead
    },
    open: (path, mode) => alive(async () => wrap(await disk.open(path, mode))),
    list: (directory) => alive(() => disk.list(directory)),
    stat: (path) => alive(() => disk.stat(path)),
    readFile: (path) => alive(() => disk.readFile(path)),
    writeFileAtomic: (path, content) => alive(() => disk.writeFileAtomic(path, content)),
    makeDirectory: (directory) => alive(() => disk.makeDirectory(directory)),
    rename: (from, to) => alive(() => disk.rename(from, to)),
    remove: (path) => alive(() => disk.remove(path)),
    syncDirectory: (directory) => alive(() => disk.syncDirectory(directory)),
    freeBytes: (directory) => alive(() => disk.freeBytes(directory)),
    maxOpenFiles: () => alive(() => disk.maxOpenFiles()),
    totalBytes: (directory) => alive(() => disk.totalBytes(directory)),
    lock: (directory) =>
      alive(async () => {
        const lock = await disk.lock(directory)
        locks.push(lock)
        return lock
      }),
  }
}
