// What a load needs of the broker under test, which dies and restarts: a client, randomness, and a
// listener for the current operation, by which kills are timed.

import type { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { KafkaError } from '../../../protocol/kafka/errors.ts'
import type { Random } from '../../../protocol/runtime/random.ts'

export type LoadEvent = 'stored' | 'ending' | 'creating' | 'committing'

export interface World {
  readonly cluster: Cluster
  readonly random: Random
  /** An event has occurred, or is about to. */
  note(event: LoadEvent): void
}

/** Work that continues through all deaths of the broker until it is over. */
export interface Load {
  run(isOver: () => boolean): Promise<void>
}

/** Retries passing failures for as long as it takes. */
export function patiently<T>({ cluster }: World, attempt: () => Promise<T>): Promise<T> {
  return cluster.retrying(Number.POSITIVE_INFINITY, attempt)
}

export function throwUnlessNone(errorCode: number): void {
  if (errorCode !== 0) throw new KafkaError(errorCode)
}
