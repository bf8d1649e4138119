// The metadata of the cluster, read-only: MetadataState for everyone but the fold. Results are
// current when the call returns; a reader that acts on the metadata subscribes with `onChange` and
// reads again. No reader may keep a Topic across an await and take it for current.

import type { PartitionRegistration } from '../partitionRegistration.ts'

export type Configs = Readonly<Record<string, string>>

export interface Topic {
  readonly name: string
  /** A UUID. A topic that is deleted and created again under the same name has another one. */
  readonly id: string
  /** By partition number. */
  readonly partitions: readonly PartitionRegistration[]
  /** Configs set for this topic; the others come from the broker's configuration. */
  readonly configs: Configs
}

/**
 * The resource that configs are set for: a topic by its id, a broker by its id ('' stands for all
 * brokers), a group.
 */
export interface ConfigResource {
  readonly type: 'topic' | 'broker' | 'group'
  readonly name: string
}

/** A broker process that joined the cluster: Kafka's RegisterBrokerRecord. */
export interface BrokerRegistration {
  readonly id: number
  /** A random UUID of this incarnation of the broker. */
  readonly incarnation: string
  /** Sequence of the entry that registered this incarnation. Fences earlier incarnations. */
  readonly epoch: number
  readonly listeners: readonly RegisteredListener[]
  readonly rack: string | undefined
}

export interface RegisteredListener {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** What a folded command has changed; the view has the new state. */
export type MetadataChange =
  /** The topic was created, changed or deleted, or its removal is complete. */
  | { readonly type: 'topic'; readonly id: string }
  | { readonly type: 'configs'; readonly resource: ConfigResource }
  | { readonly type: 'broker'; readonly id: number }

/** Called after each change, in the order of the log. Must not throw. */
export type MetadataListener = (change: MetadataChange) => void

/** The whole state as plain data. */
export interface MetadataSnapshot {
  readonly clusterId: string | undefined
  readonly brokers: readonly BrokerRegistration[]
  readonly topics: readonly Topic[]
  readonly deleting: readonly Topic[]
  readonly nextProducerId: number
  readonly brokerConfigs: Readonly<Record<string, Configs>>
  readonly groupConfigs: Readonly<Record<string, Configs>>
}

export interface MetadataView {
  readonly clusterId: string | undefined
  /** All producer ids below it were given out. */
  readonly nextProducerId: number
  /**
   * Changes whenever a topic is created, changed or deleted; counted from the start of the process.
   */
  readonly topicsVersion: number
  topic(name: string): Topic | undefined
  topicById(id: string): Topic | undefined
  topics(): Iterable<Topic>
  /** The newest registered incarnation of the broker. */
  broker(id: number): BrokerRegistration | undefined
  brokers(): Iterable<BrokerRegistration>
  /** The configs set for one broker or, with the name '', for all of them. */
  brokerConfigs(name: string): Configs
  groupConfigs(groupId: string): Configs
  /** Every group with configs. */
  configuredGroups(): Iterable<string>
  /** The existing topic whose name differs from `name` only in "." and "_". */
  colliding(name: string): string | undefined
  /** Deleted topics whose logs or offsets may still exist. */
  deleting(): Topic[]
  deletingById(id: string): Topic | undefined
  /** Whether the name is taken by a topic that is still being removed. */
  isDeleting(name: string): boolean
  /**
   * Whether a partition's directory belongs to a topic other than the one that has the name now, by
   * the topic id in the directory: usually to a deleted one.
   */
  isForeign(name: string, id: string | undefined): boolean
  /** Subscribes to changes; returns a function that ends the subscription. */
  onChange(listener: MetadataListener): () => void
  snapshot(): MetadataSnapshot
}
