// Names of the files of one partition, as in Kafka: the base offset in twenty digits, and a suffix.
// No other file builds or parses such a name.

export type SegmentSuffix = '.log' | '.index' | '.timeindex' | '.txnindex' | '.snapshot'

/** The files of one segment. */
export const segmentSuffixes = ['.log', '.index', '.timeindex', '.txnindex'] as const
/** Appended to the name of a file whose segment was removed from the log. */
export const deletedSuffix = '.deleted'

const offsetDigits = 20

export const leaderEpochFileName = 'leader-epoch-checkpoint'
export const partitionMetadataFileName = 'partition.metadata'

export function segmentFileName(offset: number, suffix: SegmentSuffix): string {
  return String(offset).padStart(offsetDigits, '0') + suffix
}

/** Ascending offsets of the files among `names` that have the suffix. */
export function offsetsOfFiles(names: readonly string[], suffix: SegmentSuffix): number[] {
  const offsets: number[] = []
  for (const name of names) {
    if (name.length !== offsetDigits + suffix.length || !name.endsWith(suffix)) continue
    const digits = name.slice(0, offsetDigits)
    if (/^\d+$/.test(digits) && Number.isSafeInteger(Number(digits))) offsets.push(Number(digits))
  }
  return offsets.sort((a, b) => a - b)
}
