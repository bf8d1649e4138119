// What a load needs of the broker under test, which dies and restarts: a client, randomness, and a
// listener for the current operation, by which kills are timed.

import type { Cluster } from '../../../protocol/client/cluster.ts'
import { KafkaError } from '../../../protocol/kafka/errors.ts'
import type { Random } from '../../../protocol/runtime/random.ts'

export type LoadEvent = 'stored' | 'ending' | 'creating' | 'committing'

export interface World {
  readonly cluster: Cluster
  readonly random: Random
  /** Something happened, or is about to. */
  note(event: LoadEvent): void
}

/** Work that goes on until it is over, through all deaths of the broker. */
export interface Load {
  run(isOver: () => boolean): Promise<void>
}

/** Failures that may pass are tried again for as long as it takes. */
export function patiently<T>({ cluster }: World, attempt: () => Promise<T>): Promise<T> {
  return cluster.retrying(Number.POSITIVE_INFINITY, attempt)
}

export function throwUnlessNone(errorCode: number): void {
  if (errorCode !== 0) throw new KafkaError(errorCode)
}
