// The resource KafkaReplica: the replica of a partition on a broker.

import { Type } from 'typebox'
import type { PartitionDescription } from '../../../../../protocol/client/admin.ts'
import type { Links } from '../links.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'
import { partitionFields } from './partition.ts'

export const replicaSchema = resourceSchema('KafkaReplica', {
  ...partitionFields,
  broker_id: Type.Integer(),
  is_leader: Type.Boolean(),
  is_in_sync: Type.Boolean(),
  broker: relationship,
})

export function replicaResource(
  links: Links,
  topic: string,
  { partition, leader, isr }: PartitionDescription,
  broker: number,
): ResourceOf<typeof replicaSchema> {
  return {
    kind: 'KafkaReplica',
    metadata: links.metadata('topics', topic, 'partitions', partition, 'replicas', broker),
    cluster_id: links.clusterId,
    topic_name: topic,
    partition_id: partition,
    broker_id: broker,
    is_leader: broker === leader,
    is_in_sync: isr.includes(broker),
    broker: links.related('brokers', broker),
  }
}
