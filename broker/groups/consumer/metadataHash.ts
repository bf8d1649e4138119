// A hash of the topics that a group is subscribed to. It changes when one of them is created, gets
// more partitions or is deleted, and the group needs a new assignment. Stored with the group epoch,
// so that changes made while the coordinator was down are detected.

import { createHash } from 'node:crypto'
import type { CatalogTopic } from './topicCatalog.ts'

/**
 * Returns 0 for no topics, as Kafka does. Otherwise the algorithm is free: no other program reads
 * it.
 */
export function metadataHash(topics: Iterable<CatalogTopic>): bigint {
  const lines = [...topics].map(({ id, partitions }) => `${id} ${partitions.length}\n`).sort()
  if (lines.length === 0) return 0n
  return createHash('sha256').update(lines.join('')).digest().readBigInt64BE(0)
}
