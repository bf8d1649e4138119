// The leader epoch of every partition on a single node, and what to tell a client that believes in
// another one (KIP-320). Replication will give each partition its own.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { PartitionLog } from '../log/partitionLog.ts'

export const leaderEpoch = 0

/** `claimed` is the client's; -1 when it does not say. */
export function leaderEpochError(claimed: number): number {
  if (claimed === -1 || claimed === leaderEpoch) return ErrorCode.none
  return claimed < leaderEpoch ? ErrorCode.fencedLeaderEpoch : ErrorCode.unknownLeaderEpoch
}

/** The largest epoch up to the one asked for and where it ends; undefined for one not seen yet. */
export function epochEnd(
  log: PartitionLog,
  epoch: number,
): { epoch: number; endOffset: number } | undefined {
  if (epoch < 0 || epoch > leaderEpoch) return undefined
  // What is not durable yet may be gone after a crash, and is shown to nobody.
  if (epoch === leaderEpoch) return { epoch, endOffset: log.highWatermark }
  return log.endOffsetForEpoch(epoch)
}
