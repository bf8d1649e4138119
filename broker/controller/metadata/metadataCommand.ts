// The commands of the metadata log, its entries and its snapshots, in the form in which they are
// stored. Their shape is a file format: a change needs a new `version`, and an upgrade of the old
// shape in metadataUpgrade.ts.

import type { PartitionChange } from '../partitionRegistration.ts'
import type {
  ConfigResource,
  Configs,
  MetadataSnapshot,
  RegisteredListener,
} from './metadataView.ts'

export type MetadataCommand =
  | { readonly type: 'initialize'; readonly clusterId: string }
  /** A broker has started. Its broker epoch is the sequence of this entry. */
  | {
      readonly type: 'registerBroker'
      readonly id: number
      readonly incarnation: string
      readonly listeners?: readonly RegisteredListener[]
      readonly rack?: string
    }
  | {
      readonly type: 'createTopic'
      readonly name: string
      readonly id: string
      /** The replicas of each partition, the preferred leader first. */
      readonly assignments: readonly (readonly number[])[]
      readonly configs: Configs
    }
  | {
      readonly type: 'createPartitions'
      readonly id: string
      /** Number of the first added partition: how many partitions the topic had. */
      readonly firstPartition: number
      /** The replicas of each added partition. */
      readonly assignments: readonly (readonly number[])[]
    }
  /** Changes the replicas, the ISR or the leader of one partition. */
  | {
      readonly type: 'changePartition'
      readonly topicId: string
      readonly partition: number
      readonly change: PartitionChange
    }
  /**
   * Clients no longer see the topic. Its logs and offsets have not been removed yet, and its name
   * is taken.
   */
  | { readonly type: 'deleteTopic'; readonly id: string }
  /** The logs and offsets of a deleted topic are removed, and its name is free. */
  | { readonly type: 'forgetTopic'; readonly id: string }
  /** Replaces all configs of the resource: those that `configs` does not name are unset. */
  | {
      readonly type: 'setConfigs'
      readonly resource: ConfigResource
      readonly configs: Configs
    }
  /** Producer ids below `next` must never be given out again. */
  | { readonly type: 'reserveProducerIds'; readonly next: number }

export type CommandOf<Type extends MetadataCommand['type']> = Extract<
  MetadataCommand,
  { type: Type }
>

/** Identifies a proposal among those of all brokers, even after its outcome became unknown. */
export interface ProposalId {
  /** The incarnation of the broker that proposes. */
  readonly incarnation: string
  /** Counts the proposals of this incarnation from 1. */
  readonly number: number
}

export const formatVersion = 1

export interface MetadataEntry {
  readonly version: typeof formatVersion
  /** Does not exist in entries upgraded from a release that did not identify proposals. */
  readonly proposal?: ProposalId
  readonly command: MetadataCommand
}

/** A snapshot in the form in which it is stored. */
export interface SnapshotEntry {
  readonly version: typeof formatVersion
  readonly state: MetadataSnapshot
}
