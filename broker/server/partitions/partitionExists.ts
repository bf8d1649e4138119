// Whether a partition that a request names exists.

import type { MetadataView } from '../../controller/metadata/metadataView.ts'

export function partitionExists(state: MetadataView, topic: string, partition: number): boolean {
  const known = state.topic(topic)
  return known !== undefined && partition >= 0 && partition < known.partitions.length
}
