// Argument and result types of the admin client (admin.ts). A request about several resources has
// one result, with its own error code, for each: the failure of one resource does not fail the
// others.

import type { TopicPartition } from '../kafka/topicPartition.ts'

/** A broker, with the address at which clients reach it. */
export interface BrokerDescription {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** A cluster and its live brokers. */
export interface ClusterDescription {
  readonly clusterId: string
  /** -1 while the cluster has no controller. */
  readonly controllerId: number
  readonly brokers: readonly BrokerDescription[]
}

/** A resource that has a configuration. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker' | 'broker-logger' | 'group'
  /**
   * Topic name, group id or broker id. The empty name with type `broker` is the default of all
   * brokers.
   */
  readonly name: string
}

/** Kafka's names, such as `DYNAMIC_TOPIC_CONFIG`, `STATIC_BROKER_CONFIG`, `DEFAULT_CONFIG`. */
export type ConfigSource = string

/** A configuration key with its effective value and the source of that value. */
export interface ConfigEntry {
  readonly name: string
  /** Null for a sensitive key, whose value is never returned, and for a key without a value. */
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

/** The configuration of one resource; `entries` is empty when `errorCode` is not 0. */
export interface ConfigDescription extends Outcome {
  readonly resource: ConfigResource
  readonly entries: readonly ConfigEntry[]
}

/** A change of one configuration key. */
export interface ConfigChange {
  readonly name: string
  readonly operation: 'set' | 'delete' | 'append' | 'subtract'
  /** Required by every operation except `delete`. */
  readonly value?: string
}

/**
 * The result for one resource of a request. Other resources of the request succeed or fail on their
 * own.
 */
export interface Outcome {
  /** A Kafka error code; 0 is success. */
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** The partition and the position whose offset is requested. */
export interface OffsetQuestion extends TopicPartition {
  /**
   * An OffsetSpec, or a timestamp in ms since the epoch: the first record with this timestamp or a
   * later one.
   */
  readonly at: number
}

/** The offset found for an OffsetQuestion. */
export interface FoundOffset extends TopicPartition, Outcome {
  /** -1 when no record has the requested timestamp or a later one. */
  readonly offset: number
  /** Timestamp of the record, in ms since the epoch; -1 when unknown. */
  readonly timestampMs: number
}

/** A group as listed by its coordinator. */
export interface GroupListing {
  readonly groupId: string
  /** `Stable`, `Empty`, `PreparingRebalance`, ...; `Unknown` from brokers that do not report it. */
  readonly state: string
  /** `consumer`, or empty for a group that only commits offsets. */
  readonly protocolType: string
  /** `classic` or `consumer` (KIP-848). */
  readonly groupType: string
  readonly coordinator: number
}

/** A member of a group and its assigned partitions. */
export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: readonly TopicPartition[]
}

/** A group with its coordinator and members. */
export interface GroupDescription extends Outcome {
  readonly groupId: string
  readonly state: string
  readonly groupType: string
  readonly protocolType: string
  /** `range`, `uniform`, ...; empty while no assignor is selected. */
  readonly assignor: string
  /**
   * Whether a KIP-848 group has members that use the classic protocol; reported by brokers since
   * Kafka 4.0.
   */
  readonly isMixed: boolean
  readonly coordinator: BrokerDescription
  readonly members: readonly GroupMember[]
}

/** The committed offset of a group for one partition. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  readonly metadata: string
}

/** The result for one partition of a request. */
export interface PartitionOutcome extends TopicPartition, Outcome {}

/** A data directory of a broker and its replicas. */
export interface LogDirectory extends Outcome {
  readonly broker: number
  readonly path: string
  /** Size of the file system, in bytes; -1 from brokers that do not report it. */
  readonly totalBytes: number
  readonly usableBytes: number
  readonly replicas: readonly (TopicPartition & {
    readonly sizeBytes: number
    readonly offsetLag: number
    readonly isFuture: boolean
  })[]
}

/** A partition with a reassignment in progress. */
export interface Reassignment extends TopicPartition {
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}
