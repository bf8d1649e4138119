// The disk space of the demo: its limits, and the share of each part.

const mebibyte = 1024 * 1024
export const defaultDiskMebibytes = 1024
export const leastDiskMebibytes = 256
/**
 * Space that does not depend on `--disk`: the agent's channel, the status topic, the job's state.
 */
const fixedDiskMebibytes = 160

/** Shares in bytes; all parts together stay below `--disk`. */
export interface DiskShares {
  readonly journalFileBytes: number
  /** Limit of each of the two partitions, without the active segment. */
  readonly retentionBytes: number
  readonly segmentBytes: number
  readonly logFileBytes: number
  /**
   * Limit on input that is not counted yet. Below `retentionBytes`: records are counted before
   * deletion.
   */
  readonly uncountedBytes: number
}

export function diskShares(mebibytes: number): DiskShares {
  const free = (mebibytes - fixedDiskMebibytes) * mebibyte
  const share = (part: number) => Math.floor(free * part)
  return {
    journalFileBytes: Math.min(64 * mebibyte, share(1 / 16)),
    retentionBytes: share(1 / 5),
    segmentBytes: share(1 / 16),
    logFileBytes: share(1 / 32),
    uncountedBytes: share(1 / 8),
  }
}
