// Puts the metadata of an earlier release into a tree of coordination that has none. The root is
// created last: an import that was interrupted is made again.

import type { Coordination, TreeReader } from '../../../protocol/coordination/coordination.ts'
import type { Operation } from '../../../protocol/coordination/tree/operation.ts'
import type { MetadataHistory } from './metadataLog.ts'
import {
  chunkPath,
  chunksOf,
  create,
  entriesPath,
  entryPath,
  json,
  type MetadataRoot,
  metadataPath,
  padded,
  rootPath,
  snapshotsPath,
} from './metadataTree.ts'

/** Bytes and operations of one transaction, about. */
const groupBytes = 512 * 1024
const groupOperations = 500

/** `toRetire`: names the metadata that were imported, until they are retired. */
export async function importMetadata(
  coordination: Coordination,
  { snapshot, entries, nextSequence }: MetadataHistory,
  toRetire: string,
): Promise<void> {
  const first = nextSequence - entries.length
  const name = `${padded(first)}-imported`
  const chunks = snapshot ? chunksOf(json(snapshot)) : []
  const leftovers = [...below(coordination.tree, metadataPath)].reverse()
  const operations: Operation[] = [
    ...leftovers.map((path): Operation => ({ type: 'delete', path })),
    ...[metadataPath, entriesPath, snapshotsPath].map((path) => create(path)),
    ...(snapshot ? [create(`${snapshotsPath}/${name}`)] : []),
    ...chunks.map((data, chunk): Operation => {
      return { type: 'create', path: chunkPath(name, chunk), data }
    }),
    ...entries.map((entry, index) => create(entryPath(first + index), entry)),
  ]
  for (const group of groupsOf(operations)) await coordination.transact(group)
  const imported = snapshot && { name, chunks: chunks.length, sequence: first }
  const root: MetadataRoot = {
    ...{ format: 1, nextSequence, snapshot: imported, toRetire },
  }
  await coordination.transact([create(rootPath, root)])
}

/** The node and everything below it, parents first. */
function* below(tree: TreeReader, path: string): Generator<string> {
  if (tree.exists(path) === undefined) return
  yield path
  for (const name of tree.children(path) ?? []) yield* below(tree, `${path}/${name}`)
}

function* groupsOf(operations: readonly Operation[]): Generator<Operation[]> {
  let group: Operation[] = []
  let bytes = 0
  for (const operation of operations) {
    const more = 'data' in operation ? operation.data.length : 0
    if (group.length > 0 && (bytes + more > groupBytes || group.length >= groupOperations)) {
      yield group
      group = []
      bytes = 0
    }
    group.push(operation)
    bytes += more
  }
  if (group.length > 0) yield group
}
