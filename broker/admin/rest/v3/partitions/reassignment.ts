// The resource KafkaReassignment: a reassignment of a partition's replicas in progress.

import { Type } from 'typebox'
import type { Reassignment } from '../../../../../protocol/client/adminApi.ts'
import type { Links } from '../links.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'
import { partitionFields } from './partition.ts'

export const reassignmentSchema = resourceSchema('KafkaReassignment', {
  ...partitionFields,
  adding_replicas: Type.Array(Type.Integer()),
  removing_replicas: Type.Array(Type.Integer()),
  replicas: relationship,
})

export function reassignmentResource(
  links: Links,
  { topic, partition, adding, removing }: Reassignment,
): ResourceOf<typeof reassignmentSchema> {
  const path = ['topics', topic, 'partitions', partition] as const
  return {
    kind: 'KafkaReassignment',
    metadata: links.metadata(...path, 'reassignment'),
    cluster_id: links.clusterId,
    topic_name: topic,
    partition_id: partition,
    adding_replicas: [...adding],
    removing_replicas: [...removing],
    replicas: links.related(...path, 'replicas'),
  }
}
