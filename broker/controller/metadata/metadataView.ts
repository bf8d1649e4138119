// What the metadata of the cluster says, read-only: the face of MetadataState for everyone but the
// fold. What it returns is current when the call returns; a reader that acts on the metadata
// subscribes with `onChange` and looks again. No reader may keep a Topic across an await and take
// it for current.

import type { PartitionRegistration } from '../partitionRegistration.ts'

export type Configs = Readonly<Record<string, string>>

export interface Topic {
  readonly name: string
  /** A UUID. A topic that is deleted and created again under the same name has another one. */
  readonly id: string
  /** By partition number. */
  readonly partitions: readonly PartitionRegistration[]
  /** Only what was set for this topic; the rest comes from the broker's configuration. */
  readonly configs: Configs
}

/** What configs are set for: a topic by its id, a broker by its id ('' is all brokers), a group. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker' | 'group'
  readonly name: string
}

/** A broker process that joined the cluster: Kafka's RegisterBrokerRecord. */
export interface BrokerRegistration {
  readonly id: number
  /** A random UUID of this start of the broker. */
  readonly incarnation: string
  /** The sequence of the entry that registered this incarnation. Fences earlier incarnations. */
  readonly epoch: number
  readonly listeners: readonly RegisteredListener[]
  readonly rack: string | undefined
}

export interface RegisteredListener {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** What a folded command has changed; the view says what it is now. */
export type MetadataChange =
  /** The topic was created, changed or deleted, or its removal has ended. */
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
  /** Producer ids below this one were given out. */
  readonly nextProducerId: number
  /**
   * Changes whenever a topic is created, changed or deleted; counted from the start of the process.
   */
  readonly topicsVersion: number
  topic(name: string): Topic | undefined
  topicById(id: string): Topic | undefined
  topics(): Iterable<Topic>
  /** The newest incarnation of the broker that registered. */
  broker(id: number): BrokerRegistration | undefined
  brokers(): Iterable<BrokerRegistration>
  /** What is set for one broker or, under the name '', for all of them. */
  brokerConfigs(name: string): Configs
  groupConfigs(groupId: string): Configs
  /** Every group for which something is set. */
  configuredGroups(): Iterable<string>
  /** The existing topic whose name differs from `name` only in "." and "_". */
  colliding(name: string): string | undefined
  /** Deleted topics whose logs or offsets may still exist. */
  deleting(): Topic[]
  deletingById(id: string): Topic | undefined
  /** Whether a topic that is still being removed holds the name. */
  isDeleting(name: string): boolean
  /**
   * Whether a partition's directory belongs to another topic than the one that has the name now, by
   * the topic id noted in the directory: usually to a deleted one.
   */
  isForeign(name: string, id: string | undefined): boolean
  /** Subscribes to changes; returns what ends the subscription. */
  onChange(listener: MetadataListener): () => void
  snapshot(): MetadataSnapshot
}
