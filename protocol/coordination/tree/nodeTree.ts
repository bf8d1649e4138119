// The nodes by path, with the ephemeral ones by session. Knows no transactions: treeTransaction.ts
// changes the tree and takes changes back. Invariants: the root exists; an ephemeral node has no
// children; `ephemeralsOf` names exactly the nodes whose owner is that session.

import type { TreeNode } from '../coordination.ts'
import { Node, Stamp } from './node.ts'
import type { NodeStat } from './operation.ts'
import { rootPath } from './paths.ts'

export class NodeTree {
  readonly root: Node
  readonly #ephemerals = new Map<string, Set<string>>()

  constructor(root = new Node(Buffer.alloc(0), new Stamp(0, 0), undefined)) {
    this.root = root
  }

  find(path: string): Node | undefined {
    if (path === rootPath) return this.root
    if (!path.startsWith('/')) return undefined
    let node: Node = this.root
    for (let start = 1; ; ) {
      const end = path.indexOf('/', start)
      const name = end < 0 ? path.slice(start) : path.slice(start, end)
      const child = node.children?.byName.get(name)
      if (child === undefined || end < 0) return child
      node = child
      start = end + 1
    }
  }

  get(path: string): TreeNode | undefined {
    const node = this.find(path)
    return node && { data: node.data, stat: node.stat }
  }

  exists(path: string): NodeStat | undefined {
    return this.find(path)?.stat
  }

  children(path: string): string[] | undefined {
    const node = this.find(path)
    return node && (node.children?.names() ?? [])
  }

  /** Paths of the session's ephemeral nodes, sorted: their deletions have one order everywhere. */
  ephemeralsOf(session: string): string[] {
    return [...(this.#ephemerals.get(session) ?? [])].sort()
  }

  addEphemeral(session: string, path: string): void {
    const paths = this.#ephemerals.get(session)
    if (paths === undefined) this.#ephemerals.set(session, new Set([path]))
    else paths.add(path)
  }

  removeEphemeral(session: string, path: string): void {
    const paths = this.#ephemerals.get(session)
    paths?.delete(path)
    if (paths?.size === 0) this.#ephemerals.delete(session)
  }
}
