// The resource KafkaCluster.

import { Type } from 'typebox'
import type { ClusterDescription } from '../../../../../protocol/client/adminApi.ts'
import type { Links } from '../links.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'

export const clusterSchema = resourceSchema('KafkaCluster', {
  controller: Type.Optional(relationship),
  acls: relationship,
  brokers: relationship,
  broker_configs: relationship,
  consumer_groups: relationship,
  topics: relationship,
  partition_reassignments: relationship,
})

export function clusterResource(
  links: Links,
  { controllerId }: ClusterDescription,
): ResourceOf<typeof clusterSchema> {
  return {
    kind: 'KafkaCluster',
    metadata: links.metadata(),
    cluster_id: links.clusterId,
    ...(controllerId < 0 ? {} : { controller: links.related('brokers', controllerId) }),
    acls: links.related('acls'),
    brokers: links.related('brokers'),
    broker_configs: links.related('broker-configs'),
    consumer_groups: links.related('consumer-groups'),
    topics: links.related('topics'),
    partition_reassignments: links.related('topics', '-', 'partitions', '-', 'reassignment'),
  }
}
