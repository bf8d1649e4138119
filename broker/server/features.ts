// The features of the cluster (KIP-584): the supported levels, and the finalized ones. Invariant: a
// finalized level is served, because clients act on it: from `transaction.version` 2 on they leave
// it to the broker to add partitions to transactions (KIP-890).

export const supportedFeatures = [
  { name: 'group.version', minVersion: 0, maxVersion: 1 },
  { name: 'kraft.version', minVersion: 0, maxVersion: 1 },
  // The levels of Kafka 3.3-IV3 to 4.1-IV1, which tools show.
  { name: 'metadata.version', minVersion: 7, maxVersion: 27 },
  { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
] as const

/** The finalized levels. A supported feature that is not listed is at level 0. */
export const finalizedFeatures = [
  { name: 'group.version', minVersionLevel: 1, maxVersionLevel: 1 },
  { name: 'metadata.version', minVersionLevel: 27, maxVersionLevel: 27 },
  { name: 'transaction.version', minVersionLevel: 2, maxVersionLevel: 2 },
] as const

/** Increases with every change of a level. On a single node no level changes. */
export const finalizedFeaturesEpoch = 0
