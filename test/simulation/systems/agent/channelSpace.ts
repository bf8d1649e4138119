// Space of the file system that has the logs of the channels: once it is full, files there grow
// only by as many bytes as others gave back. The fault `fillDisk` gives nothing back, so that it
// cannot show that the reserve of a channel is used.

import type { Disk, DiskFile, DiskMode } from '../../../../protocol/runtime/disk/disk.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { diskError } from '../../world/disk/diskFaults.ts'

export class ChannelSpace {
  readonly #memory: MemoryDisk
  readonly #directory: string
  /** Unlimited unless the file system is full. */
  #freeBytes = Number.POSITIVE_INFINITY

  constructor(memory: MemoryDisk, directory: string) {
    this.#memory = memory
    this.#directory = directory
  }

  get isFull(): boolean {
    return Number.isFinite(this.#freeBytes)
  }

  /** Another program takes all space that is free. */
  fill(): void {
    this.#freeBytes = 0
  }

  empty(): void {
    this.#freeBytes = Number.POSITIVE_INFINITY
  }

  /** The disk of a process. */
  limit(disk: Disk): Disk {
    return {
      open: async (path, mode) => await this.#open(disk, path, mode),
      stat: (path) => disk.stat(path),
      list: (directory) => disk.list(directory),
      readFile: (path) => disk.readFile(path),
      writeFileAtomic: (path, content) => disk.writeFileAtomic(path, content),
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: async (path) => {
        const before = await this.#sizeOf(path)
        await disk.remove(path)
        this.#freeBytes += before - (await this.#sizeOf(path))
      },
      syncDirectory: (path) => disk.syncDirectory(path),
      freeBytes: async (path) => Math.min(this.#freeBytes, await disk.freeBytes(path)),
      maxOpenFiles: () => disk.maxOpenFiles(),
      totalBytes: (path) => disk.totalBytes(path),
      lock: (path) => disk.lock(path),
    }
  }

  async #open(disk: Disk, path: string, mode: DiskMode): Promise<DiskFile> {
    const file = await disk.open(path, mode)
    if (!path.startsWith(this.#directory)) return file
    const write = async (chunks: readonly Uint8Array[], position: number) => {
      const end = chunks.reduce((sum, { length }) => sum + length, position)
      const growth = Math.max(0, end - (await this.#sizeOf(path)))
      if (growth > this.#freeBytes) throw diskError('ENOSPC', 'write', path)
      this.#freeBytes -= growth
      await file.write(chunks, position)
    }
    const truncate = async (sizeBytes: number) => {
      const before = await this.#sizeOf(path)
      await file.truncate(sizeBytes)
      this.#freeBytes += Math.max(0, before - sizeBytes)
    }
    return { ...file, write, truncate }
  }

  async #sizeOf(path: string): Promise<number> {
    if (!path.startsWith(this.#directory)) return 0
    return (await this.#memory.stat(path))?.sizeBytes ?? 0
  }
}
