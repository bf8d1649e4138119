// The resource KafkaConsumerGroup: a group of the classic protocol or of KIP-848.

import { Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import type { GroupDescription } from '../../../../../protocol/client/adminApi.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'
import { type Links, shortened } from '../links.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'

/** Confluent's names of states, by Kafka's. */
const states: Readonly<Record<string, string>> = {
  PreparingRebalance: 'PREPARING_REBALANCE',
  CompletingRebalance: 'COMPLETING_REBALANCE',
  Assigning: 'ASSIGNING',
  Reconciling: 'RECONCILING',
  Stable: 'STABLE',
  Dead: 'DEAD',
  Empty: 'EMPTY',
}
const types: Readonly<Record<string, 'CLASSIC' | 'CONSUMER'>> = {
  classic: 'CLASSIC',
  consumer: 'CONSUMER',
}
const unknown = 'UNKNOWN'

export const groupFields = { consumer_group_id: Type.String() }

export const consumerGroupSchema = resourceSchema('KafkaConsumerGroup', {
  ...groupFields,
  is_simple: Type.Boolean({
    description: 'Whether the group only commits offsets and never had members.',
  }),
  partition_assignor: Type.String(),
  state: Type.Enum([unknown, ...Object.values(states)]),
  type: Type.Enum([unknown, 'CLASSIC', 'CONSUMER', 'SHARE']),
  is_mixed_consumer_group: Type.Boolean({
    description: 'Whether a group of type CONSUMER also has members of the classic protocol.',
  }),
  coordinator: relationship,
  consumers: relationship,
  lag_summary: relationship,
})

export function consumerGroupResource(
  links: Links,
  group: GroupDescription,
): ResourceOf<typeof consumerGroupSchema> {
  const { groupId } = group
  const path = ['consumer-groups', groupId] as const
  return {
    kind: 'KafkaConsumerGroup',
    metadata: links.metadata(...path),
    cluster_id: links.clusterId,
    consumer_group_id: groupId,
    is_simple: group.protocolType === '',
    partition_assignor: group.assignor,
    state: states[group.state] ?? unknown,
    type: types[group.groupType] ?? unknown,
    is_mixed_consumer_group: group.isMixed,
    coordinator: links.related('brokers', group.coordinator.id),
    consumers: links.related(...path, 'consumers'),
    lag_summary: links.related(...path, 'lag-summary'),
  }
}

/** Kafka Connect and others use groups for other purposes, without consumers. */
export function isConsumerGroup({ protocolType }: { readonly protocolType: string }): boolean {
  return protocolType === 'consumer' || protocolType === ''
}

/** Fails with 404 if the group does not exist. */
export async function groupOf(
  admin: Admin,
  { consumer_group_id: groupId }: { readonly consumer_group_id: string },
): Promise<GroupDescription> {
  const [group] = await admin.describeGroups([groupId])
  const { errorCode, errorMessage, protocolType } = group!
  if (errorCode === ErrorCode.groupIdNotFound) {
    throw unknownGroup(`consumer group ${shortened(groupId)} does not exist`)
  }
  if (errorCode !== ErrorCode.none) throw kafkaFailure(errorCode, errorMessage ?? groupId)
  if (!isConsumerGroup(group!)) {
    throw unknownGroup(
      `${shortened(groupId)} is a group of type ${protocolType}, not a consumer group`,
    )
  }
  return group!
}

function unknownGroup(message: string): RestError {
  const action = 'check the name: GET /v3/clusters/{cluster_id}/consumer-groups lists the groups'
  return new RestError(404, 'GROUP_ID_NOT_FOUND', message, action)
}
