// A number for all that a tree has: equal trees have equal numbers.

import type { TreeReader } from '../../../../protocol/coordination/coordination.ts'
import { joinPath, rootPath } from '../../../../protocol/coordination/tree/paths.ts'

export interface TreeDigest {
  readonly digest: number
  /** modifiedZxid of every node but the root, by path. */
  readonly nodes: ReadonlyMap<string, number>
}

type Tree = Pick<TreeReader, 'get' | 'children' | 'zxid'>

export function treeDigest(tree: Tree): TreeDigest {
  const nodes = new Map<string, number>()
  let digest = 0x811c9dc5
  const add = (text: string) => {
    for (let at = 0; at < text.length; at++) {
      digest = Math.imul(digest ^ text.charCodeAt(at), 0x01000193)
    }
  }
  const visit = (path: string) => {
    const { stat, data } = tree.get(path)!
    if (path !== rootPath) nodes.set(path, stat.modifiedZxid)
    add(`${path} ${stat.createdZxid} ${stat.modifiedZxid} ${stat.childrenZxid} ${stat.version} `)
    add(`${stat.childrenVersion} ${stat.ephemeralOwner} ${stat.modifiedMs} `)
    add(Buffer.from(data).toString('latin1'))
    for (const name of tree.children(path)!) visit(joinPath(path, name))
  }
  visit(rootPath)
  return { digest, nodes }
}
