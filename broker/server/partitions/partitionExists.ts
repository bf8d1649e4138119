// Whether a partition that a request names exists.

import type { MetadataState } from '../../controller/metadataState.ts'

export function partitionExists(state: MetadataState, topic: string, partition: number): boolean {
  const known = state.topic(topic)
  return known !== undefined && partition >= 0 && partition < known.partitions
}
