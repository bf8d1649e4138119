// A hash of the topics that a group is subscribed to. It changes when one of them is created, gets
// more partitions, or is deleted: then the group needs another assignment. Stored with the group
// epoch, so that changes are noticed also after a restart.

import { createHash } from 'node:crypto'
import type { CatalogTopic } from './topicCatalog.ts'

/** 0 for no topics, as in Kafka; otherwise, each coordinator may use its own hash. */
export function metadataHash(topics: Iterable<CatalogTopic>): bigint {
  const lines = [...topics].map(({ id, partitions }) => `${id} ${partitions.length}\n`).sort()
  if (lines.length === 0) return 0n
  return createHash('sha256').update(lines.join('')).digest().readBigInt64BE(0)
}
