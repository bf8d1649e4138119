// The leader epoch of every partition on a single node, and what to tell a client that believes in
// another one (KIP-320). Replication will give each partition its own.

import { ErrorCode } from '../../protocol/kafka/errors.ts'

export const leaderEpoch = 0

/** `claimed` is the client's; -1 when it does not say. */
export function leaderEpochError(claimed: number): number {
  if (claimed === -1 || claimed === leaderEpoch) return ErrorCode.none
  return claimed < leaderEpoch ? ErrorCode.fencedLeaderEpoch : ErrorCode.unknownLeaderEpoch
}
