// The shape of the metadata log in releases before format version 1: an entry is a bare command.
// Read by metadataUpgrade.ts, never written.

import type { CommandOf } from './metadataCommand.ts'
import type { Configs } from './metadataView.ts'

/** A topic in a snapshot from before format version 1. */
export interface ReleasedTopic {
  readonly name: string
  readonly id: string
  readonly partitions: number
  readonly configs: Configs
}

type Unchanged = CommandOf<
  'initialize' | 'deleteTopic' | 'forgetTopic' | 'setConfigs' | 'reserveProducerIds'
>

/** An entry from before format version 1. */
export type ReleasedCommand =
  | Unchanged
  | ({ readonly type: 'createTopic' } & ReleasedTopic)
  /** `partitions`: the number of partitions that the topic has from then on. */
  | { readonly type: 'createPartitions'; readonly id: string; readonly partitions: number }

/** A snapshot from before format version 1. */
export interface ReleasedSnapshot {
  readonly clusterId?: string
  readonly topics: readonly ReleasedTopic[]
  readonly deleting: readonly ReleasedTopic[]
  readonly nextProducerId: number
  /** Does not exist in snapshots from before brokers and groups had configs. */
  readonly brokerConfigs?: Readonly<Record<string, Configs>>
  readonly groupConfigs?: Readonly<Record<string, Configs>>
}
