// Space of the file system that has the logs of the channels: once it is full, files there grow
// only by as many bytes as others gave back. The fault `fillDisk` gives nothing back, so that it
// cannot show that the reserve of a channel is used.

import type { Disk, DiskFile, DiskMode } from '../../../../protocol/runtime/disk/disk.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { diskError } from '../../world/disk/diskFaults.ts'

const blockBytes = 4096

export class ChannelSpace {
  readonly #memory: MemoryDisk
  readonly #directory: string
  /** Unlimited unless the file system is full. */
  #freeBytes = Number.POSITIVE_INFINITY
  /** Open files, with the names that they have now. */
  readonly #files = new Set<{ path: string }>()

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
      rename: async (from, to) => {
        const replaced = await this.#spaceOf(to)
        await disk.rename(from, to)
        this.#freeBytes += replaced
        for (const file of this.#files) if (file.path === from) file.path = to
      },
      remove: async (path) => {
        const before = await this.#spaceOf(path)
        await disk.remove(path)
        this.#freeBytes += before - (await this.#spaceOf(path))
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
    const named = { path }
    this.#files.add(named)
    const write = async (chunks: readonly Uint8Array[], position: number) => {
      const end = chunks.reduce((sum, { length }) => sum + length, position)
      const growth = Math.max(0, spaceOf(end) - (await this.#spaceOf(named.path)))
      if (growth > this.#freeBytes) throw diskError('ENOSPC', 'write', path)
      this.#freeBytes -= growth
      await file.write(chunks, position)
    }
    const truncate = async (sizeBytes: number) => {
      const before = await this.#spaceOf(named.path)
      await file.truncate(sizeBytes)
      this.#freeBytes += Math.max(0, before - spaceOf(sizeBytes))
    }
    const close = async () => {
      this.#files.delete(named)
      await file.close()
    }
    return { ...file, write, truncate, close }
  }

  async #spaceOf(path: string): Promise<number> {
    if (!path.startsWith(this.#directory)) return 0
    return spaceOf((await this.#memory.stat(path))?.sizeBytes ?? 0)
  }
}

function spaceOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes
}
