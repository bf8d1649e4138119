// UpdateFeatures: validates updates of feature levels by Kafka's rules. This version of the broker
// fixes the finalized levels: an update to the present level succeeds, an update to another
// supported level is refused, because it would have no effect. One refused update refuses the whole
// request.

import { updateFeatures } from '../../../protocol/kafka/apis/updateFeatures.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { finalizedFeatures, supportedFeatures } from '../features.ts'
import { handler } from '../request/handler.ts'

type FeatureUpdate = RequestOf<typeof updateFeatures>['featureUpdates'][number]

const UpgradeType = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const
const upgradeTypes: ReadonlySet<number> = new Set(Object.values(UpgradeType))
/** First version with the type of an update; earlier ones say whether a downgrade is allowed. */
const upgradeTypeVersion = 1

export const updateFeaturesHandler = handler(
  updateFeatures,
  ({ featureUpdates }, { apiVersion }) => {
    for (const update of featureUpdates) {
      const problem = updateProblem(update, upgradeTypeOf(update, apiVersion))
      if (problem === undefined) continue
      const { feature, maxVersionLevel } = update
      return {
        errorCode: ErrorCode.invalidUpdateVersion,
        errorMessage: `no feature was updated: ${feature} to level ${maxVersionLevel}: ${problem}`,
        results: [],
      }
    }
    return {
      errorCode: ErrorCode.none,
      errorMessage: null,
      results: featureUpdates.map(({ feature }) => ({
        feature,
        errorCode: ErrorCode.none,
        errorMessage: null,
      })),
    }
  },
)

function upgradeTypeOf({ allowDowngrade, upgradeType }: FeatureUpdate, version: number): number {
  if (version >= upgradeTypeVersion) return upgradeType
  return allowDowngrade ? UpgradeType.safeDowngrade : UpgradeType.upgrade
}

/** Returns why the update is refused, checked in Kafka's order; undefined if it is not. */
function updateProblem(
  { feature, maxVersionLevel: level }: FeatureUpdate,
  upgradeType: number,
): string | undefined {
  if (!upgradeTypes.has(upgradeType)) return `unknown upgrade type ${upgradeType}`
  if (level < 0) return 'a level cannot be less than 0'
  const supported = supportedFeatures.find(({ name }) => name === feature)
  if (supported === undefined) return 'this broker does not know the feature'
  const { minVersion, maxVersion } = supported
  // At level 0 a feature is disabled.
  if (level > maxVersion || (level < minVersion && level !== 0)) {
    return `this broker supports levels ${minVersion} to ${maxVersion}`
  }
  const current = finalizedLevel(feature)
  if (level === current) return undefined
  if (level < current && upgradeType === UpgradeType.upgrade) {
    return `its level is ${current}; a lower one needs a safe or unsafe downgrade`
  }
  if (level > current && upgradeType !== UpgradeType.upgrade) {
    return `its level is ${current}; a downgrade cannot raise it`
  }
  return `its level is ${current}, and is fixed in this version of Millrace`
}

function finalizedLevel(feature: string): number {
  return finalizedFeatures.find(({ name }) => name === feature)?.maxVersionLevel ?? 0
}
