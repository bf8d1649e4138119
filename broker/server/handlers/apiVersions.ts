// ApiVersions: lists the APIs and versions that are served, and the features in force. The first
// request of every client, so it must be answered in any version (KIP-511).

import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { Api, RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { finalizedFeatures, finalizedFeaturesEpoch, supportedFeatures } from '../features.ts'
import { type Handler, handler } from '../request/handler.ts'

/** The first version with the name and version of the client's software. */
const softwareVersion = 3
/** The first version whose clients can read a feature with a range from 0 (KAFKA-17011). */
const zeroMinFeatureVersion = 4

const softwareText = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?$/

/** The response to an unknown version, encoded as version 0: the range to choose from. */
export const unsupportedApiVersions = {
  errorCode: ErrorCode.unsupportedVersion,
  apiKeys: [rangeOf(apiVersions)],
}

export function apiVersionsHandler(served: readonly Api[]): Handler {
  const apiKeys = served.map(rangeOf).sort((a, b) => a.apiKey - b.apiKey)
  return handler(apiVersions, (request, { apiVersion }) => {
    if (apiVersion >= softwareVersion && !hasValidSoftware(request)) {
      return { errorCode: ErrorCode.invalidRequest, apiKeys: [] }
    }
    return {
      errorCode: ErrorCode.none,
      apiKeys,
      supportedFeatures: supportedFeatures.filter(
        ({ minVersion }) => minVersion > 0 || apiVersion >= zeroMinFeatureVersion,
      ),
      finalizedFeaturesEpoch,
      finalizedFeatures,
    }
  })
}

function hasValidSoftware({
  clientSoftwareName,
  clientSoftwareVersion,
}: RequestOf<typeof apiVersions>): boolean {
  return softwareText.test(clientSoftwareName) && softwareText.test(clientSoftwareVersion)
}

function rangeOf({ key, advertisedMinVersion, maxVersion }: Api) {
  return { apiKey: key, minVersion: advertisedMinVersion, maxVersion }
}
