// The names on an in-memory disk and their unsynced changes, both indexed by directory: the cost of
// a rename, a removal or a sync does not depend on the number of other names.

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

  /** The paths directly in the directory. */
  in(directory: string): Iterable<string> {
    return this.#inDirectory.get(directory) ?? []
  }

  /** The path, if it exists, and all paths below it. */
  *under(path: string): Generator<string> {
    if (this.#inodes.has(path)) yield path
    for (const inside of this.in(path)) yield* this.under(inside)
  }
}

/** A change to one or two directories; durable when one of them is synced. */
export interface NameChange {
  readonly directories: readonly string[]
  readonly apply: (names: MemoryNames) => void
}

export class NameChanges {
  /** In the order in which they were made. */
  readonly #all = new Set<NameChange>()
  readonly #byDirectory = new Map<string, Set<NameChange>>()

  get isEmpty(): boolean {
    return this.#all.size === 0
  }

  add(change: NameChange): void {
    this.#all.add(change)
    for (const directory of change.directories) {
      const changes = this.#byDirectory.get(directory)
      if (changes) changes.add(change)
      else this.#byDirectory.set(directory, new Set([change]))
    }
  }

  /** Removes and returns the changes of a directory, oldest first. */
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

  /** Removes and returns all changes, oldest first. */
  takeAll(): NameChange[] {
    const taken = [...this.#all]
    this.#all.clear()
    this.#byDirectory.clear()
    return taken
  }
}
