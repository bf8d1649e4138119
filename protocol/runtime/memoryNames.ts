// The names on a disk in memory, found by directory: a rename or a removal costs what is renamed or
// removed, however many other names there are.

import { dirname } from 'node:path'
import type { MemoryInode } from './memoryInode.ts'

export class MemoryNames {
  readonly #inodes = new Map<string, MemoryInode>()
  readonly #inDirectory = new Map<string, Set<string>>()

  constructor(names: Iterable<readonly [path: string, inode: MemoryInode]>) {
    for (const [path, inode] of names) this.set(path, inode)
  }

  get(path: string): MemoryInode | undefined {
    return this.#inodes.get(path)
  }

  has(path: string): boolean {
    return this.#inodes.has(path)
  }

  set(path: string, inode: MemoryInode): void {
    this.#inodes.set(path, inode)
    if (path === '/') return
    const directory = dirname(path)
    const paths = this.#inDirectory.get(directory)
    if (paths) paths.add(path)
    else this.#inDirectory.set(directory, new Set([path]))
  }

  delete(path: string): void {
    this.#inodes.delete(path)
    const directory = dirname(path)
    const paths = this.#inDirectory.get(directory)
    paths?.delete(path)
    if (paths?.size === 0) this.#inDirectory.delete(directory)
  }

  keys(): Iterable<string> {
    return this.#inodes.keys()
  }

  values(): Iterable<MemoryInode> {
    return this.#inodes.values()
  }

  entries(): Iterable<[path: string, inode: MemoryInode]> {
    return this.#inodes.entries()
  }

  /** The paths that are directly in it. */
  in(directory: string): Iterable<string> {
    return this.#inDirectory.get(directory) ?? []
  }

  /** The path, where there is something, and everything in it. */
  *under(path: string): Generator<string> {
    if (this.#inodes.has(path)) yield path
    for (const inside of this.in(path)) yield* this.under(inside)
  }
}
