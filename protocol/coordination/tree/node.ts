// One node of the tree, made small: a tree of 100,000 nodes is kept in memory by every process.
//
// Data of up to `inlineBytes` is kept as a text of one byte a character, which is one object of the
// JavaScript heap; a typed array costs about 400 bytes more, for itself and its memory outside of
// the heap. Larger data is kept as bytes of its own. Both are always copies: the entry that the
// data came in has a buffer that is shared with other operations, or used again by its owner.

import type { NodeStat } from './operation.ts'

const inlineBytes = 4096

/**
 * A change: its zxid, and the wall-clock time of its proposer in ms. Shared by the nodes changed.
 */
export class Stamp {
  readonly zxid: number
  readonly ms: number

  constructor(zxid: number, ms: number) {
    this.zxid = zxid
    this.ms = ms
  }
}

/** What a node has if it ever had a child. */
export class Children {
  readonly byName = new Map<string, Node>()
  /** Of the last creation or deletion of a child. */
  zxid: number
  /** Number of creations and deletions. */
  version = 0
  /** Least number for the next sequential child. Never decreases while the node exists. */
  nextSequence = 0

  constructor(zxid: number) {
    this.zxid = zxid
  }

  /** Names in the order of code units, which is that of their UTF-8 bytes: see nameFault. */
  names(): string[] {
    return [...this.byName.keys()].sort()
  }
}

export class Node {
  #content: string | Buffer
  readonly created: Stamp
  /** `created` itself until the data is changed. */
  modified: Stamp
  version = 0
  /** Session that an ephemeral node belongs to. */
  readonly owner: string | undefined
  children: Children | undefined

  constructor(data: Uint8Array, created: Stamp, owner: string | undefined) {
    this.#content = contentOf(data)
    this.created = created
    this.modified = created
    this.owner = owner
    this.children = undefined
  }

  /** Must not be changed. */
  get data(): Buffer {
    const content = this.#content
    return typeof content === 'string' ? Buffer.from(content, 'latin1') : content
  }

  get dataBytes(): number {
    return this.#content.length
  }

  /** Changes the data. Returns a function that takes the change back. */
  change(data: Uint8Array, modified: Stamp): () => void {
    const oldContent = this.#content
    const oldModified = this.modified
    this.#content = contentOf(data)
    this.modified = modified
    this.version++
    return () => {
      this.#content = oldContent
      this.modified = oldModified
      this.version--
    }
  }

  /** Writes the data to `target` from `at`. */
  copyData(target: Buffer, at: number): void {
    const content = this.#content
    if (typeof content === 'string') target.write(content, at, 'latin1')
    else content.copy(target, at)
  }

  get stat(): NodeStat {
    return {
      createdZxid: this.created.zxid,
      modifiedZxid: this.modified.zxid,
      childrenZxid: this.children?.zxid ?? this.created.zxid,
      version: this.version,
      childrenVersion: this.children?.version ?? 0,
      ephemeralOwner: this.owner,
      createdMs: this.created.ms,
      modifiedMs: this.modified.ms,
      dataBytes: this.dataBytes,
      childCount: this.children?.byName.size ?? 0,
    }
  }
}

function contentOf(data: Uint8Array): string | Buffer {
  const { length } = data
  if (length <= inlineBytes) {
    return Buffer.from(data.buffer, data.byteOffset, length).toString('latin1')
  }
  // Not of the pool of small buffers, of which one may keep many alive.
  const copy = Buffer.allocUnsafeSlow(length)
  copy.set(data)
  return copy
}
