// Refused admin APIs for features that do not exist here: quotas, credentials, tokens, a controller
// quorum, broker registration, moving replicas between directories; and client telemetry.

import { alterClientQuotas } from '../apis/alterClientQuotas.ts'
import { alterUserScramCredentials } from '../apis/alterUserScramCredentials.ts'
import {
  type ErrorAnswer,
  emptyList,
  type RefusedApi,
  refusedApi,
  refusedWhole,
} from '../refusedApi.ts'
import { array, bool, bytes, int8, int16, int32, int64, string, uuid } from '../schema/fields.ts'
import type { Api, RequestOf, ResponseInput } from '../schema/schema.ts'

const throttleTimeMs = int32('0+')
const errorCode = int16('0+')
const errorMessage = string('0+', { nullable: '0+', default: null })
const expiryTimestampMs = int64('0+', { default: -1 })

const alterReplicaLogDirs = refusedApi(
  {
    key: 34,
    name: 'AlterReplicaLogDirs',
    versions: '1-2',
    flexibleFrom: 2,
    request: {
      dirs: array('0+', {
        path: string('0+'),
        topics: array('0+', { name: string('0+'), partitions: array('0+', int32) }),
      }),
    },
    response: {
      throttleTimeMs,
      results: array('0+', {
        topicName: string('0+'),
        partitions: array('0+', { partitionIndex: int32('0+'), errorCode }),
      }),
    },
  },
  ({ dirs }, error) => ({
    results: dirs.flatMap(({ topics }) =>
      topics.map(({ name, partitions }) => ({
        topicName: name,
        partitions: partitions.map((partitionIndex) => ({
          partitionIndex,
          errorCode: error.errorCode,
        })),
      })),
    ),
  }),
)

const createDelegationToken = refusedWhole({
  key: 38,
  name: 'CreateDelegationToken',
  versions: '1-3',
  flexibleFrom: 2,
  response: {
    errorCode,
    principalType: string('0+'),
    principalName: string('0+'),
    tokenRequesterPrincipalType: string('3+'),
    tokenRequesterPrincipalName: string('3+'),
    issueTimestampMs: int64('0+', { default: -1 }),
    expiryTimestampMs,
    maxTimestampMs: int64('0+', { default: -1 }),
    tokenId: string('0+'),
    hmac: bytes('0+'),
    throttleTimeMs,
  },
})

const renewDelegationToken = refusedWhole({
  key: 39,
  name: 'RenewDelegationToken',
  versions: '1-2',
  flexibleFrom: 2,
  response: { errorCode, expiryTimestampMs, throttleTimeMs },
})

const expireDelegationToken = refusedWhole({
  key: 40,
  name: 'ExpireDelegationToken',
  versions: '1-2',
  flexibleFrom: 2,
  response: { errorCode, expiryTimestampMs, throttleTimeMs },
})

const describeDelegationToken = refusedWhole({
  key: 41,
  name: 'DescribeDelegationToken',
  versions: '1-3',
  flexibleFrom: 2,
  response: { errorCode, tokens: emptyList, throttleTimeMs },
})

const alterQuotas = refusedFully(alterClientQuotas, ({ entries }, error) => ({
  entries: entries.map(({ entity }) => ({ ...error, entity })),
}))

const alterCredentials = refusedFully(
  alterUserScramCredentials,
  ({ deletions, upsertions }, error) => {
    const users = new Set([...deletions, ...upsertions].map(({ name }) => name))
    return { results: Array.from(users, (user) => ({ user, ...error })) }
  },
)

const describeQuorum = refusedWhole({
  key: 55,
  name: 'DescribeQuorum',
  versions: '0-2',
  flexibleFrom: 0,
  response: {
    errorCode,
    errorMessage: string('2+', { nullable: '2+', default: null, ignorable: true }),
    topics: emptyList,
    nodes: array('2+', {}),
  },
})

const unregisterBroker = refusedWhole({
  key: 64,
  name: 'UnregisterBroker',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage },
})

const getTelemetrySubscriptions = refusedWhole({
  key: 71,
  name: 'GetTelemetrySubscriptions',
  versions: '0',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    clientInstanceId: uuid('0+'),
    subscriptionId: int32('0+'),
    acceptedCompressionTypes: array('0+', int8),
    pushIntervalMs: int32('0+'),
    telemetryMaxBytes: int32('0+'),
    deltaTemporality: bool('0+'),
    requestedMetrics: array('0+', string),
  },
})

const pushTelemetry = refusedWhole({
  key: 72,
  name: 'PushTelemetry',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode },
})

const addRaftVoter = refusedWhole({
  key: 80,
  name: 'AddRaftVoter',
  versions: '0-1',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage },
})

const removeRaftVoter = refusedWhole({
  key: 81,
  name: 'RemoveRaftVoter',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage },
})

const unregisterController = refusedWhole({
  key: 94,
  name: 'UnregisterController',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, errorMessage },
})

export const tokenApis: readonly RefusedApi[] = [
  createDelegationToken,
  renewDelegationToken,
  expireDelegationToken,
  describeDelegationToken,
]
export const quotaApis: readonly RefusedApi[] = [alterQuotas]
export const credentialApis: readonly RefusedApi[] = [alterCredentials]
export const replicaApis: readonly RefusedApi[] = [alterReplicaLogDirs]
export const quorumApis: readonly RefusedApi[] = [
  describeQuorum,
  unregisterBroker,
  addRaftVoter,
  removeRaftVoter,
  unregisterController,
]
export const telemetryApis: readonly RefusedApi[] = [getTelemetrySubscriptions, pushTelemetry]

/** An API with a complete declaration, because it will be served. */
function refusedFully<A extends Api>(
  whole: A,
  refuse: (request: RequestOf<A>, error: ErrorAnswer) => ResponseInput<A>,
): RefusedApi {
  return { api: whole, refuse: refuse as RefusedApi['refuse'] }
}
