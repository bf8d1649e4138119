// The layout of a data directory, as in Kafka: names of partition directories, and the small files
// beside them. Formats only: logDirectory.ts decides when they are read and written.

import { join } from 'node:path'
import { parseProperties } from '../../../protocol/configuration/properties.ts'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { uuidText } from '../../../protocol/runtime/random.ts'
import { LogError } from '../logError.ts'

export const recoveryPointsFile = 'recovery-point-offset-checkpoint'
export const logStartOffsetsFile = 'log-start-offset-checkpoint'
export const highWatermarksFile = 'replication-offset-checkpoint'
const cleanShutdownFile = '.kafka_cleanshutdown'
const metaPropertiesFile = 'meta.properties'
const maxFileNameBytes = 255

/** The owner of a data directory: written at first use, and compared at each later start. */
export interface DirectoryIdentity {
  readonly nodeId: number
  readonly clusterId: string
  /** Kafka's form of an id: 16 random bytes in base64url. */
  readonly newDirectoryId: () => string
}

export function partitionDirectoryName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/**
 * Returns undefined for a name that is not that of a partition directory. Topic names may contain
 * hyphens.
 */
export function parsePartitionDirectory(name: string): TopicPartition | undefined {
  const match = /^([a-zA-Z0-9._-]{1,249})-(\d{1,9})$/.exec(name)
  return match ? { topic: match[1]!, partition: Number(match[2]) } : undefined
}

/**
 * Returns the name that a partition directory gets when it is deleted; its files are removed later.
 * Kafka has a random id in the name; with the id of the topic, a deletion that was interrupted
 * finds the directories that remain.
 */
export function removedDirectoryName(name: string, topicId: string): string {
  const suffix = removedSuffix(topicId)
  // The end of the name distinguishes partitions, so a name that is too long loses its beginning.
  return name.slice(-(maxFileNameBytes - suffix.length)) + suffix
}

/** The suffix of the names of a deleted topic's directories. */
export function removedSuffix(topicId: string): string {
  return `.${topicId.replaceAll('-', '')}-delete`
}

/** Whether the directory is that of a partition whose removal was interrupted. */
export function isRemovedDirectory(name: string): boolean {
  return name.endsWith('-delete')
}

/** Records a clean shutdown. */
export async function writeCleanShutdown(disk: Disk, data: string): Promise<void> {
  const content = JSON.stringify({ version: 0, brokerEpoch: -1 })
  await disk.writeFileAtomic(join(data, cleanShutdownFile), Buffer.from(content))
}

/** Returns whether the last shutdown was clean, and removes the record of it. */
export async function takeCleanShutdown(disk: Disk, data: string): Promise<boolean> {
  const path = join(data, cleanShutdownFile)
  if ((await disk.stat(path)) === undefined) return false
  await disk.remove(path)
  await disk.syncDirectory(data)
  return true
}

/**
 * Writes the identity into a new directory. Returns the id of the directory among those of the
 * broker. Throws LogError when the directory belongs to another broker.
 */
export async function claimDirectory(
  disk: Disk,
  data: string,
  identity: DirectoryIdentity,
): Promise<string> {
  const path = join(data, metaPropertiesFile)
  const bytes = await disk.readFile(path)
  const found = bytes && metaProperties(bytes.toString('utf8'))
  if (found) checkOwner(path, found, identity)
  const known = found?.get('directory.id')
  if (known !== undefined) return known
  const id = identity.newDirectoryId()
  const lines = [
    '#',
    `cluster.id=${identity.clusterId}`,
    `directory.id=${id}`,
    'version=1',
    `node.id=${identity.nodeId}`,
  ]
  await disk.writeFileAtomic(path, Buffer.from(`${lines.join('\n')}\n`))
  return id
}

function checkOwner(
  path: string,
  found: ReadonlyMap<string, string>,
  identity: DirectoryIdentity,
): void {
  const nodeId = found.get('node.id') ?? found.get('broker.id')
  const clusterId = found.get('cluster.id')
  if (clusterId === identity.clusterId && nodeId === String(identity.nodeId)) return
  throw new LogError(
    'LOG_DIRECTORY_FOREIGN',
    `${path} belongs to node ${nodeId} of cluster ${clusterId}, but this is node ${identity.nodeId} of ` +
      `cluster ${identity.clusterId}: start the broker with its own data directory`,
  )
}

/**
 * Encodes partition.metadata, which has the id of the topic: a directory of an earlier topic of the
 * same name must not be used.
 */
export function encodePartitionMetadata(topicId: string): Buffer {
  const id = Buffer.from(topicId.replaceAll('-', ''), 'hex').toString('base64url')
  return Buffer.from(`version: 0\ntopic_id: ${id}\n`)
}

/** Returns the topic id as 36 characters of lower-case hex; undefined when there is none. */
export function decodePartitionMetadata(bytes: Buffer): string | undefined {
  const match = /^topic_id: (\S+)$/m.exec(bytes.toString('utf8'))
  const id = Buffer.from(match?.[1] ?? '', 'base64url')
  return id.length === 16 ? uuidText(id) : undefined
}

function metaProperties(text: string): Map<string, string> {
  return new Map(Array.from(parseProperties(text), ({ key, value }) => [key, value.trim()]))
}
