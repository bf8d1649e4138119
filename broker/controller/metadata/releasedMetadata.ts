// The shape of the metadata log as releases before format version 1 wrote it: a bare command is an
// entry. Read by metadataUpgrade.ts, never written.

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
  /** `partitions` is how many the topic has from then on. */
  | { readonly type: 'createPartitions'; readonly id: string; readonly partitions: number }

/** A snapshot from before format version 1. */
export interface ReleasedSnapshot {
  readonly clusterId?: string
  readonly topics: readonly ReleasedTopic[]
  readonly deleting: readonly ReleasedTopic[]
  readonly nextProducerId: number
  /** Absent in snapshots from before brokers and groups could be configured. */
  readonly brokerConfigs?: Readonly<Record<string, Configs>>
  readonly groupConfigs?: Readonly<Record<string, Configs>>
}
