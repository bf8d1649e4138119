// The features of a cluster (KIP-584): which levels this broker can work at, and which are in force.
// Clients act on them: from `transaction.version` 2 on they leave adding partitions to transactions
// to the broker (KIP-890), so nothing may be in force here that is not served.

export const supportedFeatures = [
  { name: 'group.version', minVersion: 0, maxVersion: 1 },
  { name: 'kraft.version', minVersion: 0, maxVersion: 1 },
  // The levels of Kafka 3.3-IV3 to 4.1-IV1, for tools that show them.
  { name: 'metadata.version', minVersion: 7, maxVersion: 27 },
  { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
] as const

/** A feature that is supported and missing here is at level 0. */
export const finalizedFeatures = [
  { name: 'group.version', minVersionLevel: 1, maxVersionLevel: 1 },
  { name: 'metadata.version', minVersionLevel: 27, maxVersionLevel: 27 },
  { name: 'transaction.version', minVersionLevel: 2, maxVersionLevel: 2 },
] as const

/** Rises when a level changes, which none does on a single node. */
export const finalizedFeaturesEpoch = 0
