// The events between two states of the tree, for a member that skipped entries because only a
// snapshot of their effects was left. Pure; reads both trees once.
//
// Events come in an order in which each one was possible: all deletions, children before their
// parent; then creations and changes by the zxid of the creation or of the last change, parents
// before their children. A node that was deleted and created again (it has another createdZxid)
// gives both. Intermediate states are lost: a node that was created and deleted in between gives no
// event, and ten changes of a node give one.

import type { TreeReader } from '../coordination.ts'
import type { NodeStat, TreeEvent } from './operation.ts'
import { joinPath, rootPath } from './paths.ts'

type Tree = Pick<TreeReader, 'exists' | 'children' | 'zxid'>

/**
 * Returns the events that lead from `before` to `after`. The zxid of a deletion is that of `after`:
 * the transaction that deleted the node is not known.
 */
export function treeDifference(before: Tree, after: Tree): TreeEvent[] {
  const deletions: TreeEvent[] = []
  collectDeletions(before, after, rootPath, deletions)
  const others: TreeEvent[] = []
  collectOthers(before, after, rootPath, others)
  // Stable: of one transaction, parents stay before their children.
  others.sort((one, other) => one.zxid - other.zxid)
  return deletions.concat(others)
}

/** Children first. A node below a deleted one was deleted before it. */
function collectDeletions(before: Tree, after: Tree, path: string, events: TreeEvent[]): void {
  for (const name of before.children(path) ?? []) {
    collectDeletions(before, after, joinPath(path, name), events)
  }
  if (!isSameNode(before.exists(path), after.exists(path))) {
    events.push({ type: 'deleted', path, zxid: after.zxid })
  }
}

function collectOthers(before: Tree, after: Tree, path: string, events: TreeEvent[]): void {
  const old = before.exists(path)
  const stat = after.exists(path)
  if (stat !== undefined && !isSameNode(old, stat)) {
    events.push({ type: 'created', path, zxid: stat.createdZxid })
  } else if (stat !== undefined && stat.modifiedZxid !== old?.modifiedZxid) {
    events.push({ type: 'changed', path, zxid: stat.modifiedZxid })
  }
  for (const name of after.children(path) ?? []) {
    collectOthers(before, after, joinPath(path, name), events)
  }
}

function isSameNode(one: NodeStat | undefined, other: NodeStat | undefined): boolean {
  return one !== undefined && one.createdZxid === other?.createdZxid
}
