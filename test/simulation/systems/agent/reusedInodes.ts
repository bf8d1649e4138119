// Inode numbers as a file system gives them out: that of a removed file goes to the next new one,
// once nobody has the removed file open. Lies between a MemoryDisk, which never uses a number
// twice, and the agent.

import type { Disk, DiskFile, DiskMode, DiskStat } from '../../../../protocol/runtime/disk/disk.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'

export class ReusedInodes {
  /** Number of the disk to the number that a program sees. */
  readonly #shown = new Map<number, number>()
  readonly #free: number[] = []
  /** Open files by the number of the disk. */
  readonly #open = new Map<number, number>()
  #opening = 0
  #reused = 0

  /** Number of files that got the inode of a removed one. */
  get reused(): number {
    return this.#reused
  }

  shown(inode: number): number {
    return this.#shown.get(inode) ?? inode
  }

  /** A file was created. */
  created(inode: number): void {
    const reused = this.#free.pop()
    if (reused === undefined) return
    this.#shown.set(inode, reused)
    this.#reused++
  }

  /** A file was removed durably. */
  removed(inode: number): void {
    if (this.#opening === 0 && !this.#open.has(inode)) this.#free.push(this.shown(inode))
  }

  /** The disk of a process. */
  diskOf(process: SimulatedProcess, directory: string): Disk {
    const { disk } = process.runtime
    const open = async (path: string, mode: DiskMode): Promise<DiskFile> => {
      if (!path.startsWith(directory)) return await disk.open(path, mode)
      return await this.#opened(disk, path, mode, process)
    }
    const stat = async (path: string) => {
      const found = await disk.stat(path)
      return found && this.#shownStat(found)
    }
    return {
      open,
      stat,
      list: (directory) => disk.list(directory),
      readFile: (path) => disk.readFile(path),
      writeFileAtomic: (path, content) => disk.writeFileAtomic(path, content),
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: (path) => disk.remove(path),
      syncDirectory: (path) => disk.syncDirectory(path),
      freeBytes: (path) => disk.freeBytes(path),
      maxOpenFiles: () => disk.maxOpenFiles(),
      totalBytes: (path) => disk.totalBytes(path),
      lock: (path) => disk.lock(path),
    }
  }

  async #opened(
    disk: Disk,
    path: string,
    mode: DiskMode,
    process: SimulatedProcess,
  ): Promise<DiskFile> {
    this.#opening++
    const forget = process.atEnd(() => void this.#opening--)
    try {
      const file = await disk.open(path, mode)
      const { inode } = await file.stat()
      this.#count(inode, 1)
      let isOpen = true
      const closed = () => {
        if (isOpen) this.#count(inode, -1)
        isOpen = false
      }
      const ended = process.atEnd(closed)
      const stat = async () => this.#shownStat(await file.stat())
      const close = async () => {
        ended()
        closed()
        await file.close()
      }
      return { ...file, stat, close }
    } finally {
      forget()
      this.#opening--
    }
  }

  #count(inode: number, by: number): void {
    const count = (this.#open.get(inode) ?? 0) + by
    if (count > 0) this.#open.set(inode, count)
    else this.#open.delete(inode)
  }

  #shownStat(stat: DiskStat): DiskStat {
    return { ...stat, inode: this.shown(stat.inode) }
  }
}
