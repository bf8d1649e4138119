// The resource KafkaConsumer: a member of a consumer group.

import { Type } from 'typebox'
import type { GroupDescription, GroupMember } from '../../../../../protocol/client/adminApi.ts'
import { RestError } from '../../restError.ts'
import { type Links, shortened } from '../links.ts'
import { nullable, type ResourceOf, relationship, resourceSchema } from '../resource.ts'
import { groupFields } from './consumerGroup.ts'

export const consumerSchema = resourceSchema('KafkaConsumer', {
  ...groupFields,
  consumer_id: Type.String(),
  instance_id: nullable(Type.String(), { description: 'group.instance.id of a static member.' }),
  client_id: Type.String(),
  assignments: relationship,
})

export function consumerResource(
  links: Links,
  groupId: string,
  { memberId, instanceId, clientId }: GroupMember,
): ResourceOf<typeof consumerSchema> {
  const path = ['consumer-groups', groupId, 'consumers', memberId] as const
  return {
    kind: 'KafkaConsumer',
    metadata: links.metadata(...path),
    cluster_id: links.clusterId,
    consumer_group_id: groupId,
    consumer_id: memberId,
    instance_id: instanceId,
    client_id: clientId,
    assignments: links.related(...path, 'assignments'),
  }
}

/** Fails with 404 if the group has no such member now. */
export function consumerOf(
  { groupId, members }: GroupDescription,
  { consumer_id }: { readonly consumer_id: string },
): GroupMember {
  const member = members.find(({ memberId }) => memberId === consumer_id)
  if (member !== undefined) return member
  throw new RestError(
    404,
    'UNKNOWN_MEMBER_ID',
    `group ${shortened(groupId)} has no consumer ${shortened(consumer_id)}`,
    'list the consumers of the group: their ids change when they rejoin',
  )
}
