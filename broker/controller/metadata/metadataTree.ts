// Where the metadata lies in the tree of coordination, and the operations that write it. The node
// `/metadata/root` has the next sequence and the name of the newest snapshot; beside it are the
// entries, one node each, and the chunks of the snapshot.

import type { Coordination } from '../../../protocol/coordination/coordination.ts'
import type { Operation } from '../../../protocol/coordination/tree/operation.ts'
import { BrokerError } from '../../errors.ts'

export const metadataPath = '/metadata'
export const rootPath = `${metadataPath}/root`
export const entriesPath = `${metadataPath}/entries`
export const snapshotsPath = `${metadataPath}/snapshots`
/** Below the largest transaction, with room for its other operations. */
const chunkBytes = 512 * 1024

/** The content of the root. */
export interface MetadataRoot {
  readonly format: 1
  readonly nextSequence: number
  readonly snapshot?: SnapshotName | undefined
  /** Metadata elsewhere that were moved here and are still valid there (openMetadata.ts). */
  readonly toRetire?: string | undefined
  /** Where these metadata were moved: they are not valid here any more. */
  readonly movedTo?: string
}

export interface SnapshotName {
  readonly name: string
  readonly chunks: number
  /** The snapshot has all entries below. */
  readonly sequence: number
}

export function rootOperations(content: MetadataRoot, version: number | undefined): Operation[] {
  if (version !== undefined) return [{ type: 'set', path: rootPath, data: json(content), version }]
  const parents = [metadataPath, entriesPath, snapshotsPath].map((path) => create(path))
  return [...parents, create(rootPath, content)]
}

export function create(path: string, content?: unknown): Operation {
  return { type: 'create', path, data: content === undefined ? Buffer.alloc(0) : json(content) }
}

export function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    chunks.push(bytes.subarray(at, at + chunkBytes))
  }
  return chunks
}

export function entryPath(sequence: number): string {
  return `${entriesPath}/${padded(sequence)}`
}

export function chunkPath(name: string, chunk: number): string {
  return `${snapshotsPath}/${name}/${String(chunk).padStart(6, '0')}`
}

export function padded(sequence: number): string {
  return String(sequence).padStart(16, '0')
}

export function json(content: unknown): Buffer {
  return Buffer.from(JSON.stringify(content))
}

/** Returns the root and its version; undefined in a tree without metadata. */
export function readRoot({
  tree,
}: Coordination): { readonly content: MetadataRoot; readonly version: number } | undefined {
  const node = tree.get(rootPath)
  if (node === undefined) return undefined
  const content = parseNode<MetadataRoot>(rootPath, node.data)
  if (content.format !== 1) throw unsupported(content.format)
  return { content, version: node.stat.version }
}

/** `what`: the node or snapshot, for the message of an error. */
export function parseNode<T>(what: string, data: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString()) as T
  } catch (cause) {
    throw corruptMetadata(`${what} is damaged`, cause)
  }
}

export function corruptMetadata(problem: string, cause?: unknown): BrokerError {
  return new BrokerError(
    'METADATA_CORRUPT',
    `the metadata in coordination: ${problem}; restart the broker, and restore coordination from a ` +
      'backup if that does not help',
    cause,
  )
}

function unsupported(format: unknown): BrokerError {
  return new BrokerError(
    'METADATA_UNSUPPORTED',
    `the metadata in coordination has format ${String(format)}, but this release reads format 1: ` +
      'start the release that wrote it, or a newer one',
  )
}
