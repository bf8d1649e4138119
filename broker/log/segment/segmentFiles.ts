// Names of the files of one partition, as Kafka has them: twenty digits of the base offset, and a
// suffix. The only place that makes or takes apart such a name.

export type SegmentSuffix = '.log' | '.index' | '.timeindex' | '.txnindex' | '.snapshot'

/** The files of one segment. */
export const segmentSuffixes = ['.log', '.index', '.timeindex', '.txnindex'] as const
/** Follows the name of a file whose segment was taken out of the log. */
export const deletedSuffix = '.deleted'

const offsetDigits = 20

export const leaderEpochFileName = 'leader-epoch-checkpoint'
export const partitionMetadataFileName = 'partition.metadata'

export function segmentFileName(offset: number, suffix: SegmentSuffix): string {
  return String(offset).padStart(offsetDigits, '0') + suffix
}

/** The offsets of all files among `names` that have the suffix, ascending. */
export function offsetsOfFiles(names: readonly string[], suffix: SegmentSuffix): number[] {
  const offsets: number[] = []
  for (const name of names) {
    if (name.length !== offsetDigits + suffix.length || !name.endsWith(suffix)) continue
    const digits = name.slice(0, offsetDigits)
    if (/^\d+$/.test(digits) && Number.isSafeInteger(Number(digits))) offsets.push(Number(digits))
  }
  return offsets.sort((a, b) => a - b)
}
