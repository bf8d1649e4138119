// Says which APIs and versions are served. The first request of every client, so it must be
// answered whatever version it has (KIP-511).

import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { Api } from '../../../protocol/kafka/schema.ts'
import { type Handler, handler } from '../handler.ts'

/** For a version that is not known: written as version 0, with the range to choose from. */
export const unsupportedApiVersions = {
  errorCode: ErrorCode.unsupportedVersion,
  apiKeys: [rangeOf(apiVersions)],
}

export function apiVersionsHandler(served: readonly Api[]): Handler {
  const apiKeys = served.map(rangeOf).sort((a, b) => a.apiKey - b.apiKey)
  return handler(apiVersions, () => ({ errorCode: ErrorCode.none, apiKeys }))
}

function rangeOf({ key, advertisedMinVersion, maxVersion }: Api) {
  return { apiKey: key, minVersion: advertisedMinVersion, maxVersion }
}
