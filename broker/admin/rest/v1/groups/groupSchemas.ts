// Schemas and errors shared by the routes of groups.

import { Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import type { GroupDescription } from '../../../../../protocol/client/adminApi.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'

export const groupParams = Type.Object({
  group: Type.String({
    ...{ minLength: 1, maxLength: 1_000, examples: ['billing'] },
    description: 'Id of the group.',
  }),
})

export const topicName = Type.String({ minLength: 1, maxLength: 249, examples: ['orders'] })
export const partitionNumber = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })

/** An integer, or null if there is none. */
export const maybeCount = (description: string) =>
  Type.Union([Type.Integer(), Type.Null()], { description })

export const groupState = Type.String({
  description: "Kafka's name of the state: `Stable`, `Empty`, `PreparingRebalance`, `Dead`, ...",
  examples: ['Empty'],
})

/**
 * Returns the group as its coordinator describes it; a group that does not exist is Dead and has no
 * members.
 */
export async function describedGroup(admin: Admin, groupId: string): Promise<GroupDescription> {
  const [group] = await admin.describeGroups([groupId])
  const { errorCode, errorMessage } = group!
  const isMissing = errorCode === ErrorCode.groupIdNotFound
  if (errorCode !== ErrorCode.none && !isMissing) throw kafkaFailure(errorCode, errorMessage)
  return isMissing ? { ...group!, state: 'Dead' } : group!
}

export function hasMembers({ state, members }: GroupDescription): boolean {
  return members.length > 0 || !(state === 'Empty' || state === 'Dead')
}

export function groupInUse({ groupId, members, state }: GroupDescription): RestError {
  const hosts = [...new Set(members.map(({ clientId, clientHost }) => `${clientId}${clientHost}`))]
  const who = hosts.length === 0 ? '' : `: ${hosts.slice(0, 5).join(', ')}`
  return new RestError(
    40900,
    'NON_EMPTY_GROUP',
    `group ${groupId} is ${state} and has ${members.length} members${who}`,
    'stop its members first: a running member would continue from its own position and overwrite the new offset',
  )
}

export function unknownGroup(groupId: string): RestError {
  return new RestError(
    40403,
    'GROUP_ID_NOT_FOUND',
    `group ${groupId} does not exist`,
    'check the name: GET /api/v1/groups lists the groups',
  )
}
