// A hash of the topics that a group is subscribed to: it changes when one of them comes, grows, goes
// or is made anew, and then the group needs another assignment. It is kept with the group's epoch, so
// that a change while nobody watched is seen too.

import { createHash } from 'node:crypto'
import type { CatalogTopic } from './topicCatalog.ts'

/** 0 for no topics, as in Kafka; apart from that, every coordinator may hash in its own way. */
export function metadataHash(topics: Iterable<CatalogTopic>): bigint {
  const lines = [...topics].map(({ id, partitions }) => `${id} ${partitions.length}\n`).sort()
  if (lines.length === 0) return 0n
  return createHash('sha256').update(lines.join('')).digest().readBigInt64BE(0)
}
