// What the admin client (admin.ts) is asked about and answers with. Where several things are asked for at once,
// each has its own error code, and none fails the others.

import type { TopicPartition } from '../kafka/topicPartition.ts'

/** A broker, with the address at which clients reach it. */
export interface BrokerDescription {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** A cluster and the brokers that are alive. */
export interface ClusterDescription {
  readonly clusterId: string
  /** -1 while there is none. */
  readonly controllerId: number
  readonly brokers: readonly BrokerDescription[]
}

/** What has a configuration. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker' | 'broker-logger' | 'group'
  /** Of a broker its id; the empty name is the default of all brokers. */
  readonly name: string
}

/** Kafka's names, such as `DYNAMIC_TOPIC_CONFIG`, `STATIC_BROKER_CONFIG`, `DEFAULT_CONFIG`. */
export type ConfigSource = string

/** A key of a configuration, with the value that holds and where it comes from. */
export interface ConfigEntry {
  readonly name: string
  /** Null for a secret, which is never shown, and for what has no value. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly synonyms: readonly {
    readonly name: string
    readonly value: string | null
    readonly source: ConfigSource
  }[]
  readonly documentation: string | null
}

/** The configuration of one resource; without entries when its error code says why. */
export interface ConfigDescription extends Outcome {
  readonly resource: ConfigResource
  readonly entries: readonly ConfigEntry[]
}

/** A change of one key. */
export interface ConfigChange {
  readonly name: string
  readonly operation: 'set' | 'delete' | 'append' | 'subtract'
  /** Needed by all but `delete`. */
  readonly value?: string
}

/** What became of one of several things that were asked for. The others do not fail with it. */
export interface Outcome {
  /** 0 is success. */
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** Which offset of a partition is asked for. */
export interface OffsetQuestion extends TopicPartition {
  /** An OffsetSpec, or the ms since the epoch from which on the first offset is wanted. */
  readonly at: number
}

/** The offset that was asked for. */
export interface FoundOffset extends TopicPartition, Outcome {
  /** -1 where there is none: no record is as new as the time asked for. */
  readonly offset: number
  /** Of the record, in ms since the epoch; -1 where there is none. */
  readonly timestampMs: number
}

/** A group in the list of all. */
export interface GroupListing {
  readonly groupId: string
  /** `Stable`, `Empty`, `PreparingRebalance`, ... ; Unknown from old brokers. */
  readonly state: string
  /** `consumer`, or empty for a group that only commits. */
  readonly protocolType: string
  /** `classic` or `consumer` (KIP-848). */
  readonly groupType: string
  readonly coordinator: number
}

/** A member of a group, and what it reads. */
export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: readonly TopicPartition[]
}

/** A group, its coordinator and its members. */
export interface GroupDescription extends Outcome {
  readonly groupId: string
  readonly state: string
  readonly groupType: string
  readonly protocolType: string
  /** `range`, `uniform`, ...; empty while there is none. */
  readonly assignor: string
  /** A group of KIP-848 with members that speak the classic protocol; known of brokers since Kafka 4.0. */
  readonly isMixed: boolean
  readonly coordinator: BrokerDescription
  readonly members: readonly GroupMember[]
}

/** What a group has committed for a partition. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  readonly metadata: string
}

/** What became of one partition. */
export interface PartitionOutcome extends TopicPartition, Outcome {}

/** A data directory of a broker, and the sizes of what is in it. */
export interface LogDirectory extends Outcome {
  readonly broker: number
  readonly path: string
  /** Of the file system; -1 from brokers that do not say. */
  readonly totalBytes: number
  readonly usableBytes: number
  readonly replicas: readonly (TopicPartition & {
    readonly sizeBytes: number
    readonly offsetLag: number
    readonly isFuture: boolean
  })[]
}

/** A partition whose replicas are being moved. */
export interface Reassignment extends TopicPartition {
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}
