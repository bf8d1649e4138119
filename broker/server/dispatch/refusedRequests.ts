// The APIs of Kafka that this broker does not serve, with the error for each. ApiVersions does not
// list them. A client that sends one anyway gets Kafka's error: a closed connection would look like
// a network failure, which clients retry.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  credentialApis,
  quorumApis,
  quotaApis,
  replicaApis,
  telemetryApis,
  tokenApis,
} from '../../../protocol/kafka/refused/administration.ts'
import { controllerApis } from '../../../protocol/kafka/refused/controllers.ts'
import { shareGroupApis } from '../../../protocol/kafka/refused/shareGroups.ts'
import { streamsGroupApis } from '../../../protocol/kafka/refused/streamsGroups.ts'
import type { RefusedApi } from '../../../protocol/kafka/refusedApi.ts'
import type { Handler } from '../request/handler.ts'

const reasons: readonly (readonly [apis: readonly RefusedApi[], code: number, reason: string])[] = [
  [
    tokenApis,
    ErrorCode.delegationTokenRequestNotAllowed,
    'delegation tokens need a listener that authenticates its clients; this broker has none',
  ],
  [quotaApis, ErrorCode.unsupportedVersion, 'quotas are not supported'],
  [
    credentialApis,
    ErrorCode.unsupportedVersion,
    'SCRAM credentials need a listener that authenticates its clients; this broker has none',
  ],
  [
    replicaApis,
    ErrorCode.unsupportedVersion,
    'moving replicas between data directories is not supported',
  ],
  [
    quorumApis,
    ErrorCode.unsupportedVersion,
    'the metadata of this broker are kept on one node, without a quorum',
  ],
  [telemetryApis, ErrorCode.unsupportedVersion, 'client telemetry is not supported'],
  [shareGroupApis, ErrorCode.unsupportedVersion, 'share groups are not supported'],
  [streamsGroupApis, ErrorCode.unsupportedVersion, 'streams groups are not supported'],
  [controllerApis, ErrorCode.unsupportedVersion, 'this broker is not a member of a KRaft cluster'],
]

export const refusedHandlers: readonly Handler[] = reasons.flatMap(
  ([apis, errorCode, errorMessage]) =>
    apis.map(({ api, refuse }) => ({
      api,
      handle: (request) => refuse(request, { errorCode, errorMessage }),
    })),
)
