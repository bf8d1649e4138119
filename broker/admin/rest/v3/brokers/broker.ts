// The resource KafkaBroker.

import { Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import type { BrokerDescription } from '../../../../../protocol/client/adminApi.ts'
import { RestError } from '../../restError.ts'
import type { Links } from '../links.ts'
import { nullable, type ResourceOf, relationship, resourceSchema } from '../resource.ts'

export const brokerSchema = resourceSchema('KafkaBroker', {
  broker_id: Type.Integer(),
  host: nullable(Type.String()),
  port: nullable(Type.Integer()),
  rack: nullable(Type.String()),
  configs: relationship,
  partition_replicas: relationship,
})

export function brokerResource(
  links: Links,
  { id, host, port, rack }: BrokerDescription,
): ResourceOf<typeof brokerSchema> {
  return {
    kind: 'KafkaBroker',
    metadata: links.metadata('brokers', id),
    cluster_id: links.clusterId,
    broker_id: id,
    host,
    port,
    rack,
    configs: links.related('brokers', id, 'configs'),
    partition_replicas: links.related('brokers', id, 'partition-replicas'),
  }
}

/** Fails with 404 if the cluster has no such broker now. */
export async function brokerOf(admin: Admin, brokerId: number): Promise<BrokerDescription> {
  const { brokers } = await admin.describeCluster()
  const broker = brokers.find(({ id }) => id === brokerId)
  if (broker !== undefined) return broker
  const known = brokers.slice(0, 20).map(({ id }) => id)
  throw new RestError(
    404,
    'UNKNOWN_BROKER',
    `the cluster has no broker ${brokerId}`,
    `use one of its brokers: ${known.join(', ')}`,
  )
}
