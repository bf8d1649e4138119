// The admin client, for command lines, the REST API and tests. This class is the public face; each
// concern has its own file in admin/.

import type { TopicPartition } from '../kafka/topicPartition.ts'
import { AdminRequests } from './admin/adminRequests.ts'
import * as cluster from './admin/clusterDescription.ts'
import * as configs from './admin/configs.ts'
import * as groupOffsets from './admin/groupOffsets.ts'
import * as groups from './admin/groups.ts'
import * as logDirectories from './admin/logDirectories.ts'
import * as offsets from './admin/offsets.ts'
import * as reassignments from './admin/reassignments.ts'
import * as records from './admin/records.ts'
import * as topics from './admin/topics.ts'
import type { ConfigResource, OffsetQuestion } from './adminApi.ts'
import type { Cluster } from './cluster/cluster.ts'
import { fetchCommittedOffsets } from './consumer/committedOffsets.ts'
import type { Isolation } from './consumer/isolation.ts'

export { OffsetSpec } from './admin/offsets.ts'
export type { NewTopic, PartitionDescription, TopicDescription } from './admin/topics.ts'

/**
 * Administers a cluster: topics, configurations, groups and their offsets, records, log
 * directories.
 */
export class Admin {
  readonly #requests: AdminRequests

  /** Retriable failures are retried for `timeoutMs`; others fail at once with a KafkaError. */
  constructor(cluster: Cluster, timeoutMs = 2 * cluster.requestTimeoutMs) {
    this.#requests = new AdminRequests(cluster, timeoutMs)
  }

  /** Returns the id of the cluster, its controller and its brokers. */
  describeCluster() {
    return cluster.describeCluster(this.#requests)
  }

  /** Fails at the first topic that could not be created, for example with TOPIC_ALREADY_EXISTS. */
  createTopics(newTopics: readonly topics.NewTopic[], options?: { validateOnly?: boolean }) {
    return topics.createTopics(this.#requests, newTopics, options)
  }

  /** Fails at the first topic that could not be deleted. */
  deleteTopics(names: readonly string[]) {
    return topics.deleteTopics(this.#requests, names)
  }

  /** Returns the sorted topic names. */
  async listTopics(): Promise<string[]> {
    return (await topics.describeTopics(this.#requests)).map(({ name }) => name)
  }

  /**
   * Describes topics, sorted by name. Default: all topics. Never creates a topic: a missing one
   * fails with UNKNOWN_TOPIC_OR_PARTITION.
   */
  describeTopics(names?: readonly string[], options?: { authorizedOperations?: boolean }) {
    return topics.describeTopics(this.#requests, names, options)
  }

  /**
   * Increases the partitions of a topic to `count` in total. Fails with INVALID_PARTITIONS if it
   * has as many or more.
   */
  createPartitions(topic: string, count: number, options?: { validateOnly?: boolean }) {
    return topics.createPartitions(this.#requests, topic, count, options)
  }

  /**
   * Results are in the order of `resources`. Documentation makes responses several times larger.
   */
  describeConfigs(resources: readonly ConfigResource[], options?: { documentation?: boolean }) {
    return configs.describeConfigs(this.#requests, resources, options)
  }

  /** Results are in the order of `alterations`; the changes of one resource are atomic. */
  alterConfigs(
    alterations: readonly configs.ConfigAlteration[],
    options?: { validateOnly?: boolean },
  ) {
    return configs.alterConfigs(this.#requests, alterations, options)
  }

  /** Deletes the records below the given offsets; returns the new log start offsets. */
  deleteRecords(before: readonly records.RecordsBefore[]) {
    return records.deleteRecords(this.#requests, before)
  }

  /** Results are in the order of `questions`; sends one request per leader. */
  findOffsets(questions: readonly OffsetQuestion[], isolation?: Isolation) {
    return offsets.findOffsets(this.#requests, questions, isolation)
  }

  /**
   * Returns offsets by partition; `at` is an OffsetSpec, or a timestamp in ms to find the first
   * offset from. With `committed`, the latest offset is the last stable offset.
   */
  listOffsets(topic: string, at: number, isolation?: Isolation): Promise<Map<number, number>> {
    return offsets.listOffsets(this.#requests, topic, at, isolation)
  }

  /** Lists groups of all brokers by id, of the classic protocol and of KIP-848. */
  listGroups(filter?: groups.GroupFilter) {
    return groups.listGroups(this.#requests, filter)
  }

  /** Results are in the order of `groupIds`; a missing group has GROUP_ID_NOT_FOUND. */
  describeGroups(groupIds: readonly string[]) {
    return groups.describeGroups(this.#requests, groupIds)
  }

  /**
   * Results are in the order of `groupIds`; groups with members are refused with NON_EMPTY_GROUP.
   */
  deleteGroups(groupIds: readonly string[]) {
    return groups.deleteGroups(this.#requests, groupIds)
  }

  /** Returns the committed offsets of a group, by topic and partition. */
  committedOffsets(groupId: string): Promise<Map<string, Map<number, number>>> {
    return this.#requests.retrying(() =>
      fetchCommittedOffsets(this.#requests.cluster, groupId, null),
    )
  }

  /** Returns the committed offsets of a group; empty for a group that does not exist. */
  groupOffsets(groupId: string) {
    return groupOffsets.groupOffsets(this.#requests, groupId)
  }

  /**
   * Sets offsets of a group without members; otherwise they are refused, for example with
   * UNKNOWN_MEMBER_ID.
   */
  alterGroupOffsets(groupId: string, newOffsets: readonly groupOffsets.NewOffset[]) {
    return groupOffsets.alterGroupOffsets(this.#requests, groupId, newOffsets)
  }

  /** Offsets of topics that members subscribe to are refused with GROUP_SUBSCRIBED_TO_TOPIC. */
  deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[]) {
    return groupOffsets.deleteGroupOffsets(this.#requests, groupId, partitions)
  }

  /** Default: all brokers. An unreachable broker has an entry without a path, with the error. */
  describeLogDirs(brokers?: readonly number[]) {
    return logDirectories.describeLogDirs(this.#requests, brokers)
  }

  /** Lists reassignments in progress. Default: all topics. */
  listReassignments(ofTopics?: readonly string[]) {
    return reassignments.listReassignments(this.#requests, ofTopics)
  }
}
