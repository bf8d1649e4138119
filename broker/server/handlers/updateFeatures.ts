// Sets the levels of features, by Kafka's rules; the levels themselves are those of this version of the
// broker. An update to the level that a feature has succeeds, as in Kafka; one to another level that is
// supported is refused, because nothing here would work differently after it. One update that is
// refused keeps all others of the request from being made.

import { updateFeatures } from '../../../protocol/kafka/apis/updateFeatures.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import { finalizedFeatures, supportedFeatures } from '../features.ts'
import { handler } from '../handler.ts'

type FeatureUpdate = RequestOf<typeof updateFeatures>['featureUpdates'][number]

const UpgradeType = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const
const upgradeTypes: ReadonlySet<number> = new Set(Object.values(UpgradeType))
/** From here on an update says its type; before, whether a downgrade is allowed. */
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

/** What keeps the update from being made, in the order in which Kafka looks. */
function updateProblem(
  { feature, maxVersionLevel: level }: FeatureUpdate,
  upgradeType: number,
): string | undefined {
  if (!upgradeTypes.has(upgradeType)) return `there is no upgrade type ${upgradeType}`
  if (level < 0) return 'a level cannot be less than 0'
  const supported = supportedFeatures.find(({ name }) => name === feature)
  if (supported === undefined) return 'this broker does not know the feature'
  const { minVersion, maxVersion } = supported
  // Level 0 of any feature is that it is not in force.
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
