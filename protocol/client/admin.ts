// What an administrator does with a cluster, for command lines, the REST API and tests. Each concern has a
// file below admin/; this class is their face.

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
import type { Cluster } from './cluster.ts'
import { fetchCommittedOffsets } from './committedOffsets.ts'
import type { Isolation } from './isolation.ts'

export { OffsetSpec } from './admin/offsets.ts'
export type { NewTopic, PartitionDescription, TopicDescription } from './admin/topics.ts'

/** Administers a cluster: topics, configurations, groups and their offsets, records, log directories. */
export class Admin {
  readonly #requests: AdminRequests

  /** Failures that may pass are tried again for `timeoutMs`; all others are KafkaErrors at once. */
  constructor(cluster: Cluster, timeoutMs = 2 * cluster.requestTimeoutMs) {
    this.#requests = new AdminRequests(cluster, timeoutMs)
  }

  /** The id of the cluster, its controller and its brokers. */
  describeCluster() {
    return cluster.describeCluster(this.#requests)
  }

  /** Fails at the first topic that could not be created (TOPIC_ALREADY_EXISTS and the like). */
  createTopics(newTopics: readonly topics.NewTopic[], options?: { validateOnly?: boolean }) {
    return topics.createTopics(this.#requests, newTopics, options)
  }

  /** Fails at the first topic that could not be deleted. */
  deleteTopics(names: readonly string[]) {
    return topics.deleteTopics(this.#requests, names)
  }

  /** Names, sorted. */
  async listTopics(): Promise<string[]> {
    return (await topics.describeTopics(this.#requests)).map(({ name }) => name)
  }

  /**
   * Of all topics, by name, unless names are given. Does not create what is missing: it fails with
   * UNKNOWN_TOPIC_OR_PARTITION.
   */
  describeTopics(names?: readonly string[], options?: { authorizedOperations?: boolean }) {
    return topics.describeTopics(this.#requests, names, options)
  }

  /** To so many in all. Fails with INVALID_PARTITIONS when the topic has as many or more. */
  createPartitions(topic: string, count: number, options?: { validateOnly?: boolean }) {
    return topics.createPartitions(this.#requests, topic, count, options)
  }

  /** In the order of `resources`. Documentation makes answers several times as large. */
  describeConfigs(resources: readonly ConfigResource[], options?: { documentation?: boolean }) {
    return configs.describeConfigs(this.#requests, resources, options)
  }

  /** In the order of `alterations`; those of one resource all or none. */
  alterConfigs(
    alterations: readonly configs.ConfigAlteration[],
    options?: { validateOnly?: boolean },
  ) {
    return configs.alterConfigs(this.#requests, alterations, options)
  }

  /** Removes the records below the offsets. Answers with the new first offsets. */
  deleteRecords(before: readonly records.RecordsBefore[]) {
    return records.deleteRecords(this.#requests, before)
  }

  /** In the order of `questions`; one request for each leader. */
  findOffsets(questions: readonly OffsetQuestion[], isolation?: Isolation) {
    return offsets.findOffsets(this.#requests, questions, isolation)
  }

  /**
   * By partition; `at` is an OffsetSpec, or the milliseconds to find the first offset from. With
   * `committed`, the latest offset is the last stable one.
   */
  listOffsets(topic: string, at: number, isolation?: Isolation): Promise<Map<number, number>> {
    return offsets.listOffsets(this.#requests, topic, at, isolation)
  }

  /** Of all brokers, by id, classic ones and those of KIP-848. */
  listGroups(filter?: groups.GroupFilter) {
    return groups.listGroups(this.#requests, filter)
  }

  /** In the order of `groupIds`; one that does not exist has GROUP_ID_NOT_FOUND. */
  describeGroups(groupIds: readonly string[]) {
    return groups.describeGroups(this.#requests, groupIds)
  }

  /** In the order of `groupIds`; those with members are refused with NON_EMPTY_GROUP. */
  deleteGroups(groupIds: readonly string[]) {
    return groups.deleteGroups(this.#requests, groupIds)
  }

  /** What a group committed, by topic and partition. */
  committedOffsets(groupId: string): Promise<Map<string, Map<number, number>>> {
    return this.#requests.retrying(() =>
      fetchCommittedOffsets(this.#requests.cluster, groupId, null),
    )
  }

  /** What a group committed, by topic and partition; empty for a group that does not exist. */
  groupOffsets(groupId: string) {
    return groupOffsets.groupOffsets(this.#requests, groupId)
  }

  /** Of a group without members; those of others are refused with UNKNOWN_MEMBER_ID and its like. */
  alterGroupOffsets(groupId: string, newOffsets: readonly groupOffsets.NewOffset[]) {
    return groupOffsets.alterGroupOffsets(this.#requests, groupId, newOffsets)
  }

  /** Those of topics that members subscribe to are refused with GROUP_SUBSCRIBED_TO_TOPIC. */
  deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[]) {
    return groupOffsets.deleteGroupOffsets(this.#requests, groupId, partitions)
  }

  /** Of all brokers unless given. One that cannot be asked has an entry, without a path, that says why. */
  describeLogDirs(brokers?: readonly number[]) {
    return logDirectories.describeLogDirs(this.#requests, brokers)
  }

  /** Those in progress; of all topics unless given. */
  listReassignments(ofTopics?: readonly string[]) {
    return reassignments.listReassignments(this.#requests, ofTopics)
  }
}
