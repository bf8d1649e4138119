// Creates the status topic, configured to stay small: only the latest status of a program is kept,
// and programs that are silent for a day are removed.

import { Admin, type NewTopic } from '../../client/admin.ts'
import type { Cluster } from '../../client/cluster/cluster.ts'
import { KafkaError } from '../../kafka/errors.ts'
import { statusTopic } from './statusTopicName.ts'

export const newStatusTopic: NewTopic = {
  name: statusTopic,
  partitions: 1,
  configs: {
    'cleanup.policy': 'compact,delete',
    'retention.ms': String(24 * 60 * 60 * 1000),
    // Only inactive segments are compacted or deleted.
    'segment.bytes': String(8 * 1024 * 1024),
  },
}

/**
 * Creates the topic unless it exists. A refusal of the cluster (for example, only operators may
 * create topics) is not an error; fails if the cluster is unreachable.
 */
export async function ensureStatusTopic(cluster: Cluster, timeoutMs: number): Promise<void> {
  try {
    await new Admin(cluster, timeoutMs).createTopics([newStatusTopic])
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
  }
}
