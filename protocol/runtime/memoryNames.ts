// The names on a disk in memory and the changes to them that are not durable, both found by directory: a rename,
// a removal or a sync costs what is renamed, removed or synced, however many other names there are.

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

/** One change to directories that no syncDirectory of any of them has covered yet. */
export interface NameChange {
  readonly directories: readonly string[]
  readonly apply: (names: MemoryNames) => void
}

export class NameChanges {
  /** In the order in which they were made. */
  readonly #all = new Set<NameChange>()
  readonly #byDirectory = new Map<string, Set<NameChange>>()

  add(change: NameChange): void {
    this.#all.add(change)
    for (const directory of change.directories) {
      const changes = this.#byDirectory.get(directory)
      if (changes) changes.add(change)
      else this.#byDirectory.set(directory, new Set([change]))
    }
  }

  /** Removes and returns those of a directory, in their order. */
  take(directory: string): Iterable<NameChange> {
    const taken = this.#byDirectory.get(directory) ?? []
    this.#byDirectory.delete(directory)
    for (const change of taken) {
      this.#all.delete(change)
      for (const other of change.directories) {
        const changes = this.#byDirectory.get(other)
        changes?.delete(change)
        if (changes?.size === 0) this.#byDirectory.delete(other)
      }
    }
    return taken
  }

  /** Removes and returns all, in their order. */
  takeAll(): NameChange[] {
    const taken = [...this.#all]
    this.#all.clear()
    this.#byDirectory.clear()
    return taken
  }
}
