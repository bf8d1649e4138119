// ListGroups: lists groups, filtered by state and type. While a partition is being loaded the list
// is incomplete, and the answer has an error code that says so.

import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { clusterResource } from '../gate/authorizer.ts'
import { handler } from '../request/handler.ts'

export const listGroupsHandler = handler(listGroups, (request, { broker, access }) => {
  const seesAll = access.allows('describe', 'cluster', clusterResource)
  const states = lowerCaseSet(request.statesFilter)
  const types = lowerCaseSet(request.typesFilter)
  const groups = broker.groups
    .groups()
    .filter(({ groupId }) => seesAll || access.allows('describe', 'group', groupId))
    .filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
    .filter(({ type }) => types.size === 0 || types.has(type))
    .map(({ groupId, protocolType, state, type }) => ({
      groupId,
      protocolType: protocolType ?? '',
      groupState: state,
      groupType: type,
    }))
  const errorCode = broker.groups.isLoading ? ErrorCode.coordinatorLoadInProgress : ErrorCode.none
  return { errorCode, groups }
})

function lowerCaseSet(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()))
}
