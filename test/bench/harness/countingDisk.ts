// A disk that counts the reads of open files. All operations are passed on unchanged.

import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'

export interface CountingDisk extends Disk {
  /** Reads of open files since it was last set to 0. */
  reads: number
}

export function countingDisk(disk: Disk): CountingDisk {
  const counting = (file: DiskFile): DiskFile => ({
    path: file.path,
    read: (into, position) => {
      counted.reads++
      return file.read(into, position)
    },
    write: (chunks, position) => file.write(chunks, position),
    sync: () => file.sync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    stat: () => file.stat(),
    close: () => file.close(),
  })
  const counted: CountingDisk = {
    reads: 0,
    open: async (path, mode) => counting(await disk.open(path, mode)),
    list: (directory) => disk.list(directory),
    stat: (path) => disk.stat(path),
    readFile: (path) => disk.readFile(path),
    writeFileAtomic: (path, content) => disk.writeFileAtomic(path, content),
    makeDirectory: (directory) => disk.makeDirectory(directory),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (directory) => disk.syncDirectory(directory),
    freeBytes: (directory) => disk.freeBytes(directory),
    maxOpenFiles: () => disk.maxOpenFiles(),
    totalBytes: (directory) => disk.totalBytes(directory),
    lock: (directory) => disk.lock(directory),
  }
  return counted
}
