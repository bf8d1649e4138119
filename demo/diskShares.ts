// The demo's disk space: how much it may take, and how the parts of the demo share it.

const mebibyte = 1024 * 1024
export const defaultDiskMebibytes = 1024
export const leastDiskMebibytes = 256
/** Taken whatever `--disk` says: the agent's channel, the status topic and the job's state. */
const fixedDiskMebibytes = 160

/** Shares of the parts, in bytes; all of them together stay below `mebibytes`. */
export interface DiskShares {
  readonly journalFileBytes: number
  /** Of each of the two partitions, without the segment being written. */
  readonly retentionBytes: number
  readonly segmentBytes: number
  readonly logFileBytes: number
  /** Below `retentionBytes`, or records would be removed before they are counted. */
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
