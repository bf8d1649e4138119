// A set of paths that follows the tree of a member by the events of one recursive watch. Equal to
// the tree whenever it is compared, unless an event was missed or came twice.

import type { Coordination } from '../../../../protocol/coordination/coordination.ts'
import type { TreeEvent } from '../../../../protocol/coordination/tree/operation.ts'
import { rootPath } from '../../../../protocol/coordination/tree/paths.ts'
import { treeDigest } from './treeDigest.ts'

export class TreeMirror {
  readonly #member: Coordination
  readonly #violate: (name: string, message: string) => void
  /** modifiedZxid by path. */
  readonly #nodes: Map<string, number>
  #zxid: number
  /** Number of events. */
  events = 0

  constructor(member: Coordination, violate: (name: string, message: string) => void) {
    this.#member = member
    this.#violate = violate
    this.#nodes = new Map(treeDigest(member.tree).nodes)
    this.#zxid = member.tree.zxid
    member.watch(rootPath, 'recursive', { onEvent: (event) => this.#onEvent(event) })
  }

  /** Compares the mirror with the tree; returns the digest of the tree. */
  compare(): number {
    const { zxid } = this.#member.tree
    if (zxid < this.#zxid) this.#violate('zxid fell', `from ${this.#zxid} to ${zxid}`)
    this.#zxid = zxid
    const { nodes, digest } = treeDigest(this.#member.tree)
    for (const [path, modified] of nodes) {
      if (this.#nodes.get(path) === modified) continue
      this.#violate('watch missed an event', `${path} was changed by ${modified}, without an event`)
    }
    for (const path of this.#nodes.keys()) {
      if (!nodes.has(path)) this.#violate('watch missed an event', `${path} was deleted`)
    }
    return digest
  }

  #onEvent({ type, path, zxid }: TreeEvent): void {
    this.events++
    const { tree } = this.#member
    if (zxid > tree.zxid) this.#violate('event before its tree', `${type} ${path} by ${zxid}`)
    if (path === rootPath) return
    const known = this.#nodes.get(path)
    const isExpected = type === 'created' ? known === undefined : known !== undefined
    if (!isExpected) this.#violate('event out of place', `${type} ${path} by ${zxid}`)
    if (type === 'deleted') {
      this.#nodes.delete(path)
      return
    }
    // A repair may take changes back.
    const isRepair = generationOf(zxid) < generationOf(tree.zxid)
    if (type === 'changed' && zxid <= (known ?? 0) && !isRepair) {
      this.#violate('event came twice', `${type} ${path} by ${zxid}`)
    }
    // After a gap the events name the creation of a node that was changed since.
    this.#nodes.set(path, type === 'created' ? (tree.exists(path)?.modifiedZxid ?? zxid) : zxid)
  }
}

/** Of the log that gave out the zxid. */
export function generationOf(zxid: number): number {
  return Math.floor(zxid / 2 ** 40)
}
