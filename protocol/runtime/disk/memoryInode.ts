// One file of MemoryDisk: its current content, its durable content, and the unsynced writes between
// them.

import { assert } from '../assert.ts'
import type { Random } from '../random.ts'
import type { DiskStat } from './disk.ts'

type Change =
  | { readonly kind: 'write'; readonly bytes: Buffer; readonly position: number }
  | { readonly kind: 'truncate'; readonly sizeBytes: number }

/** A growing byte array; gaps read as zeros. */
class Content {
  #bytes = Buffer.alloc(0)
  #length = 0

  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      this.#reserve(change.sizeBytes)
      if (change.sizeBytes < this.#length) this.#bytes.fill(0, change.sizeBytes, this.#length)
      this.#length = change.sizeBytes
    } else {
      const end = change.position + change.bytes.length
      this.#reserve(end)
      change.bytes.copy(this.#bytes, change.position)
      this.#length = Math.max(this.#length, end)
    }
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return
    const grown = Buffer.alloc(Math.max(sizeBytes, this.#bytes.length * 2))
    this.#bytes.copy(grown)
    this.#bytes = grown
  }
}

export class MemoryInode {
  readonly isDirectory: boolean
  /** Number of open handles. */
  openCount = 0
  readonly #inode: number
  readonly #nowMs: () => number
  readonly #canCrash: boolean
  #modifiedMs: number
  #durableModifiedMs: number
  #current = new Content()
  #durable = new Content()
  #unsynced: Change[] = []

  /** With `canCrash` false, durable content and unsynced writes are not kept. */
  constructor(inode: number, isDirectory: boolean, nowMs: () => number, canCrash = true) {
    this.#inode = inode
    this.isDirectory = isDirectory
    this.#nowMs = nowMs
    this.#canCrash = canCrash
    this.#modifiedMs = nowMs()
    this.#durableModifiedMs = this.#modifiedMs
  }

  /** The current content; a view that is valid until the next change. */
  get content(): Buffer {
    return this.#current.view()
  }

  get hasUnsynced(): boolean {
    return this.#unsynced.length > 0
  }

  /** Updates the modification time, after a change of names in the directory. */
  touch(): void {
    this.#modifiedMs = this.#nowMs()
  }

  /** `bytes` must not change afterwards. */
  write(bytes: Buffer, position: number): void {
    this.#change({ kind: 'write', bytes, position })
  }

  truncate(sizeBytes: number): void {
    this.#change({ kind: 'truncate', sizeBytes })
  }

  /**
   * Makes the content durable. For a directory only the modification time: its disk keeps the
   * names.
   */
  sync(): void {
    for (const change of this.#unsynced) this.#durable.apply(change)
    this.#unsynced = []
    this.#durableModifiedMs = this.#modifiedMs
  }

  stat(): DiskStat {
    return {
      sizeBytes: this.content.length,
      modifiedMs: this.#modifiedMs,
      device: 1,
      inode: this.#inode,
      isDirectory: this.isDirectory,
      isFile: !this.isDirectory,
    }
  }

  /** Reverts to the durable content and the unsynced changes that `keepUnsynced` draws. */
  crash(keepUnsynced: Random | undefined, reorder: boolean): void {
    assert(this.#canCrash, 'only a file created with canCrash crashes')
    if (keepUnsynced !== undefined && this.#unsynced.length > 0) {
      this.#durableModifiedMs = this.#modifiedMs
      for (const change of survivors(this.#unsynced, keepUnsynced, reorder)) {
        this.#durable.apply(change)
      }
    }
    this.#unsynced = []
    this.#modifiedMs = this.#durableModifiedMs
    this.#current = new Content()
    this.#current.apply({ kind: 'write', bytes: Buffer.from(this.#durable.view()), position: 0 })
  }

  #change(change: Change): void {
    this.#current.apply(change)
    if (this.#canCrash) this.#unsynced.push(change)
    this.#modifiedMs = this.#nowMs()
  }
}

function survivors(changes: readonly Change[], random: Random, reorder: boolean): Change[] {
  const kept = changes.slice(0, random.below(changes.length + 1))
  const last = kept.pop()
  const before = reorder ? kept.filter(() => random.below(4) > 0) : kept
  if (last === undefined) return before
  if (last.kind === 'truncate') return [...before, last]
  const bytes = last.bytes.subarray(0, random.below(last.bytes.length + 1))
  return [...before, { ...last, bytes }]
}
