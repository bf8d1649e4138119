// An in-memory disk with simulated power failures. Unsynced writes, and creations, renames and
// removals in directories that were not synced, may be lost or survive in part after `crash`:
// everything that POSIX allows, which is more than most file systems do. Open files and locks end
// with a crash.

import { basename, dirname, normalize } from 'node:path'
import { assert } from '../assert.ts'
import type { Random } from '../random.ts'
import {
  DirectoryInUseError,
  type Disk,
  type DiskFile,
  type DiskLock,
  type DiskMode,
  type DiskStat,
} from './disk.ts'
import type { DiskCompletions } from './diskCompletions.ts'
import { MemoryInode } from './memoryInode.ts'
import { MemoryNames, NameChanges } from './memoryNames.ts'

export interface CrashOptions {
  /**
   * Draws which unsynced changes survive: a prefix of the writes of each file, whose last one may
   * be torn, and a prefix of the directory changes. Without it, all unsynced changes are lost.
   */
  readonly keepUnsynced?: Random
  /**
   * With `keepUnsynced`: a write may also survive without earlier ones, whose ranges read as zeros.
   */
  readonly reorder?: boolean
}

export interface MemoryDiskOptions {
  /** Source of modification times; a counter of operations unless given. */
  readonly nowMs?: () => number
  /** Reported free space, independent of writes; the rest of `sizeBytes` unless given. */
  readonly freeBytes?: number
  /**
   * Capacity; unlimited unless given. On a full disk, writes and new directories fail with ENOSPC.
   */
  readonly sizeBytes?: number
  /** Whether new files reuse the inode numbers of removed and closed ones, the last one first. */
  readonly reusesInodes?: boolean
  /**
   * Whether `crash` may be called; true unless given. Saves memory when false: the synced content
   * of each file and its writes since are then not kept.
   */
  readonly canCrash?: boolean
  /**
   * Called before each changing operation, with the name of its method. May throw, to simulate a
   * failing disk, or call `crash`, which cancels the operation.
   */
  readonly beforeChange?: (operation: string, path: string) => void
  /** Controls when operations complete; otherwise changes take one microtask, and reads none. */
  readonly completions?: DiskCompletions
}

/** Reported size of a disk without `sizeBytes`. */
export const memoryDiskBytes = 2 ** 40

/** A file uses whole blocks, a directory one. */
const blockBytes = 4096

export class MemoryDisk implements Disk {
  readonly #options: MemoryDiskOptions
  readonly #locks = new Set<string>()
  #names: MemoryNames
  #durableNames: MemoryNames
  readonly #nameChanges = new NameChanges()
  #inodeCount = 0
  readonly #freeInodes: number[] = []
  #operationCount = 0
  /** Number of crashes; files and locks from before the last one are invalid. */
  #crashes = 0

  constructor(options: MemoryDiskOptions = {}) {
    this.#options = options
    this.#names = new MemoryNames([['/', this.#newInode(true)]])
    this.#durableNames = new MemoryNames(this.#names.entries())
  }

  /** Simulates the end of the process, as by SIGKILL: writes are kept, locks and open files end. */
  endProcess(): void {
    this.#crashes++
    this.#locks.clear()
    this.#options.completions?.completeAll()
  }

  /** Simulates a power failure. Pending operations fail; the disk can be used again immediately. */
  crash({ keepUnsynced, reorder = false }: CrashOptions = {}): void {
    assert(this.#canCrash, 'only a disk created with canCrash crashes')
    this.#crashes++
    this.#locks.clear()
    const changes = this.#nameChanges.takeAll()
    const keptChanges = keepUnsynced?.below(changes.length + 1) ?? 0
    for (const { apply, directories } of changes.slice(0, keptChanges)) {
      apply(this.#durableNames)
      for (const directory of directories) this.#durableNames.get(directory)?.sync()
    }
    for (const path of [...this.#durableNames.keys()].sort()) {
      if (path !== '/' && !this.#durableNames.has(dirname(path))) this.#durableNames.delete(path)
    }
    for (const inode of new Set(this.#durableNames.values())) inode.crash(keepUnsynced, reorder)
    this.#names = new MemoryNames(this.#durableNames.entries())
    this.#options.completions?.completeAll()
  }

  /** Whether the path exists, for a simulator: no operation of the disk, and at once. */
  exists(path: string): boolean {
    return this.#names.has(normalize(path))
  }

  /** Whether a power failure could lose anything, for a simulator. */
  get hasUnsynced(): boolean {
    if (!this.#nameChanges.isEmpty) return true
    for (const inode of this.#names.values()) if (inode.hasUnsynced) return true
    return false
  }

  async open(path: string, mode: DiskMode): Promise<DiskFile> {
    path = normalize(path)
    let inode = this.#names.get(path)
    if (inode?.isDirectory) throw failure('EISDIR', path)
    if (inode === undefined) {
      if (mode === 'read') throw failure('ENOENT', path)
      inode = await this.#effect('open', path, () => {
        this.#requireDirectory(dirname(path))
        return this.#names.get(path) ?? this.#create(path)
      })
    }
    return this.#newFile(path, inode, mode === 'writeSynced')
  }

  async list(directory: string): Promise<string[]> {
    directory = normalize(directory)
    if (this.#options.completions) await this.#held('list', directory)
    this.#requireDirectory(directory)
    return Array.from(this.#names.in(directory), (path) => basename(path)).sort()
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    if (this.#options.completions) await this.#held('stat', path)
    return this.#names.get(normalize(path))?.stat()
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    if (this.#options.completions) await this.#held('readFile', path)
    const inode = this.#names.get(normalize(path))
    if (inode?.isDirectory) throw failure('EISDIR', path)
    return inode === undefined ? undefined : Buffer.from(inode.content)
  }

  async writeFileAtomic(path: string, content: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`
    const crashes = this.#crashes
    // The disk may also crash between two steps; then the later ones must not run.
    const mustNotHaveCrashed = () => {
      if (crashes !== this.#crashes) throw failure('ECRASHED', path)
    }
    await this.remove(temporary)
    mustNotHaveCrashed()
    const file = await this.open(temporary, 'write')
    await file.write([content], 0)
    await file.sync()
    await file.close()
    mustNotHaveCrashed()
    await this.rename(temporary, path)
    mustNotHaveCrashed()
    await this.syncDirectory(dirname(path))
  }

  async makeDirectory(directory: string): Promise<void> {
    directory = normalize(directory)
    const inode = this.#names.get(directory)
    if (inode !== undefined) {
      if (!inode.isDirectory) throw failure('EEXIST', directory)
      return
    }
    await this.makeDirectory(dirname(directory))
    await this.#effect('makeDirectory', directory, () => {
      if (this.#freeBytes < blockBytes) throw failure('ENOSPC', directory)
      this.#setName(directory, this.#newInode(true))
    })
  }

  async rename(from: string, to: string): Promise<void> {
    from = normalize(from)
    to = normalize(to)
    if (!this.#names.has(from)) throw failure('ENOENT', from)
    this.#requireDirectory(dirname(to))
    const move = (names: MemoryNames) => {
      for (const path of [...names.under(from)]) {
        const inode = names.get(path)!
        names.delete(path)
        names.set(to + path.slice(from.length), inode)
      }
    }
    const directories = [dirname(from), dirname(to)]
    await this.#effect('rename', from, () => this.#change(directories, move))
  }

  async remove(path: string): Promise<void> {
    path = normalize(path)
    if (!this.#names.has(path)) return
    const drop = (names: MemoryNames) => {
      for (const name of [...names.under(path)]) names.delete(name)
    }
    const removed = [...this.#names.under(path)].map((name) => this.#names.get(name)!)
    await this.#effect('remove', path, () => this.#change([dirname(path)], drop))
    for (const inode of removed) this.#freeInode(inode)
  }

  async syncDirectory(directory: string): Promise<void> {
    directory = normalize(directory)
    this.#requireDirectory(directory)
    await this.#effect('syncDirectory', directory, () => {
      for (const { apply } of this.#nameChanges.take(directory)) apply(this.#durableNames)
      this.#names.get(directory)!.sync()
    })
  }

  async freeBytes(): Promise<number> {
    return this.#options.freeBytes ?? this.#freeBytes
  }

  async maxOpenFiles(): Promise<number> {
    return 1024
  }

  async totalBytes(): Promise<number> {
    return this.#options.sizeBytes ?? memoryDiskBytes
  }

  async lock(directory: string): Promise<DiskLock> {
    directory = normalize(directory)
    await this.makeDirectory(directory)
    if (this.#locks.has(directory)) throw new DirectoryInUseError(directory)
    this.#locks.add(directory)
    const crashes = this.#crashes
    return {
      release: async () => {
        if (crashes === this.#crashes) this.#locks.delete(directory)
      },
    }
  }

  get #canCrash(): boolean {
    return this.#options.canCrash ?? true
  }

  get #freeBytes(): number {
    const { sizeBytes } = this.#options
    if (sizeBytes === undefined) return memoryDiskBytes
    let usedBytes = 0
    for (const inode of new Set(this.#names.values())) usedBytes += spaceOf(inode)
    return sizeBytes - usedBytes
  }

  /** Writes as much as fits, then fails with ENOSPC, as a real disk does. */
  #put(inode: MemoryInode, bytes: Buffer, position: number, path: string): void {
    const isBounded = this.#options.sizeBytes !== undefined
    const room = isBounded ? spaceOf(inode) + this.#freeBytes - position : bytes.length
    const fits = Math.max(0, Math.min(room, bytes.length))
    inode.write(bytes.subarray(0, fits), position)
    if (fits < bytes.length) throw failure('ENOSPC', path)
  }

  #newInode(isDirectory: boolean): MemoryInode {
    const reused = this.#options.reusesInodes ? this.#freeInodes.pop() : undefined
    const inode = reused ?? ++this.#inodeCount
    return new MemoryInode(inode, isDirectory, () => this.#now(), this.#canCrash)
  }

  #freeInode(inode: MemoryInode): void {
    if (!this.#options.reusesInodes || inode.openCount > 0) return
    for (const other of this.#names.values()) if (other === inode) return
    this.#freeInodes.push(inode.stat().inode)
  }

  #now(): number {
    return this.#options.nowMs?.() ?? ++this.#operationCount
  }

  #create(path: string): MemoryInode {
    const inode = this.#newInode(false)
    this.#setName(path, inode)
    return inode
  }

  #setName(path: string, inode: MemoryInode): void {
    this.#change([dirname(path)], (names) => names.set(path, inode))
  }

  #change(directories: readonly string[], apply: (names: MemoryNames) => void): void {
    apply(this.#names)
    for (const directory of directories) this.#names.get(directory)?.touch()
    if (this.#canCrash) this.#nameChanges.add({ directories, apply })
  }

  #requireDirectory(directory: string): void {
    if (!this.#names.get(directory)?.isDirectory) throw failure('ENOENT', directory)
  }

  /**
   * Yields to other code, as a real disk does, then applies the effect. Fails without an effect
   * when the disk has crashed meanwhile. No code runs between this check and the effect.
   */
  async #effect<Result>(operation: string, path: string, apply: () => Result): Promise<Result> {
    const crashes = this.#crashes
    const { beforeChange, completions } = this.#options
    beforeChange?.(operation, path)
    await (completions ? completions.start(operation, path) : Promise.resolve())
    if (crashes !== this.#crashes) throw failure('ECRASHED', path)
    return apply()
  }

  /** Waits for the completion of an operation that only reads. */
  async #held(operation: string, path: string): Promise<void> {
    const crashes = this.#crashes
    await this.#options.completions!.start(operation, path)
    if (crashes !== this.#crashes) throw failure('ECRASHED', path)
  }

  #newFile(path: string, inode: MemoryInode, syncsEachWrite: boolean): DiskFile {
    const crashes = this.#crashes
    let isOpen = true
    const put = (bytes: Buffer, position: number) => this.#put(inode, bytes, position, path)
    inode.openCount++
    const check = () => {
      if (!isOpen) throw failure('EBADF', path)
      if (crashes !== this.#crashes) throw failure('ECRASHED', path)
    }
    const change = async (operation: string, apply: () => void) => {
      check()
      await this.#effect(operation, path, apply)
    }
    return {
      path,
      read: async (into, position) => {
        check()
        if (this.#options.completions) await this.#held('read', path)
        if (position >= inode.content.length) return 0
        return inode.content.copy(into, 0, position, position + into.length)
      },
      async write(chunks, position) {
        const bytes = Buffer.concat(chunks)
        await change('write', () => put(bytes, position))
        if (syncsEachWrite) await change('sync', () => inode.sync())
      },
      sync: () => change('sync', () => inode.sync()),
      truncate: (sizeBytes) => change('truncate', () => inode.truncate(sizeBytes)),
      stat: async () => {
        check()
        if (this.#options.completions) await this.#held('stat', path)
        return inode.stat()
      },
      close: async () => {
        if (!isOpen) return
        isOpen = false
        inode.openCount--
        this.#freeInode(inode)
      },
    }
  }
}

function spaceOf({ isDirectory, content }: MemoryInode): number {
  return isDirectory ? blockBytes : Math.ceil(content.length / blockBytes) * blockBytes
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
