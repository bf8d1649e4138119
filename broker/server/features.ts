// The features of the cluster (KIP-584): the levels that this broker supports, and those in force.
// Contract: no level is in force that is not served, because clients act on levels: from
// `transaction.version` 2 on they leave it to the broker to add partitions to transactions
// (KIP-890).

export const supportedFeatures = [
  { name: 'group.version', minVersion: 0, maxVersion: 1 },
  { name: 'kraft.version', minVersion: 0, maxVersion: 1 },
  // The levels of Kafka 3.3-IV3 to 4.1-IV1, for tools that show them.
  { name: 'metadata.version', minVersion: 7, maxVersion: 27 },
  { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
] as const

/** The levels in force; a supported feature without one is at level 0. */
export const finalizedFeatures = [
  { name: 'group.version', minVersionLevel: 1, maxVersionLevel: 1 },
  { name: 'metadata.version', minVersionLevel: 27, maxVersionLevel: 27 },
  { name: 'transaction.version', minVersionLevel: 2, maxVersionLevel: 2 },
] as const

/** Increases with every change of a level; on a single node none changes. */
export const finalizedFeaturesEpoch = 0
