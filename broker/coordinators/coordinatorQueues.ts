// The lengths of the queues of a coordinator, for its metrics.

export interface CoordinatorQueues {
  /** Requests that are not answered yet. */
  readonly waitingRequests: number
  /** Writes in flight: at most a few for each group or transactional id. */
  readonly pendingWrites: number
}

/** Sums the queues of all shards. */
export function queuesOf(shards: Iterable<CoordinatorQueues>): CoordinatorQueues {
  let waitingRequests = 0
  let pendingWrites = 0
  for (const shard of shards) {
    waitingRequests += shard.waitingRequests
    pendingWrites += shard.pendingWrites
  }
  return { waitingRequests, pendingWrites }
}
