// Makes the topic of statuses, so that it stays small: only the newest status of a program counts, and one
// that has said nothing for a day is forgotten.

import { Admin, type NewTopic } from '../client/admin.ts'
import type { Cluster } from '../client/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { statusTopic } from './statusTopicName.ts'

export const newStatusTopic: NewTopic = {
  name: statusTopic,
  partitions: 1,
  configs: {
    'cleanup.policy': 'compact,delete',
    'retention.ms': String(24 * 60 * 60 * 1000),
    // Only what is no longer appended to is compacted or removed.
    'segment.bytes': String(8 * 1024 * 1024),
  },
}

/**
 * Creates the topic unless it is there. A cluster that refuses (it may let only its operators create
 * topics) is taken at its word that there is nothing to do; fails when it cannot be asked.
 */
export async function ensureStatusTopic(cluster: Cluster, timeoutMs: number): Promise<void> {
  try {
    await new Admin(cluster, timeoutMs).createTopics([newStatusTopic])
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
  }
}
