// The APIs of Kafka that this broker does not serve, with the error for each. ApiVersions does not
// list them. A client that sends one anyway gets Kafka's error for it; a closed connection would
// look like a network failure, which clients retry.

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
    'no listener authenticates its clients, so there are no delegation tokens',
  ],
  [quotaApis, ErrorCode.unsupportedVersion, 'quotas are not kept here'],
  [
    credentialApis,
    ErrorCode.unsupportedVersion,
    'no listener authenticates its clients, so there are no credentials',
  ],
  [
    replicaApis,
    ErrorCode.unsupportedVersion,
    'replicas are not moved between data directories here',
  ],
  [quorumApis, ErrorCode.unsupportedVersion, 'metadata are kept on one node, without a quorum'],
  [telemetryApis, ErrorCode.unsupportedVersion, 'clients do not push their metrics here'],
  [shareGroupApis, ErrorCode.unsupportedVersion, 'share groups are not served'],
  [streamsGroupApis, ErrorCode.unsupportedVersion, 'streams groups are not served'],
  [controllerApis, ErrorCode.unsupportedVersion, 'this node takes no part in a cluster of Kafka'],
]

export const refusedHandlers: readonly Handler[] = reasons.flatMap(
  ([apis, errorCode, errorMessage]) =>
    apis.map(({ api, refuse }) => ({
      api,
      handle: (request) => refuse(request, { errorCode, errorMessage }),
    })),
)
