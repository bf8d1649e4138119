// Composes the coordinators of groups and of transactions with the topics that hold their records.
// The partitions that this broker leads are loaded before the first request; later ones when the
// metadata says so. Makes no decision of either coordinator.

import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { BrokerConfig } from './configuration/brokerOptions.ts'
import { listElements } from './configuration/configOption.ts'
import type { DynamicConfiguration } from './configuration/configuration.ts'
import { type GroupConfigName, groupConfigValue } from './configuration/groupSettings.ts'
import { smallestSegmentBytes } from './configuration/logDefaults.ts'
import type { Controller } from './controller/controller.ts'
import { firstLeaderEpoch } from './controller/partitionRegistration.ts'
import type { ProducerIds } from './controller/producerIds.ts'
import { CoordinatorTopic } from './coordinators/coordinatorTopic.ts'
import {
  offsetsTopicName,
  transactionStateTopicName,
} from './coordinators/coordinatorTopicNames.ts'
import type { TransactionalOffsets } from './coordinators/transactionalOffsets.ts'
import { BrokerError } from './errors.ts'
import { isAssignorName } from './groups/consumer/assignor.ts'
import type { ConsumerGroupLimits } from './groups/consumer/consumerGroup.ts'
import { GroupService } from './groups/groupService.ts'
import { OffsetsTopic } from './groups/offsetsTopic.ts'
import type { ReplicaManager } from './replication/replicaManager.ts'
import { TransactionMarkers } from './transactions/transactionMarkers.ts'
import { TransactionService } from './transactions/transactionService.ts'
import { TransactionStateTopic } from './transactions/transactionStateTopic.ts'

export interface CoordinatorDependencies {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly config: BrokerConfig
  readonly controller: Controller
  readonly replicas: ReplicaManager
}

export interface GroupDependencies extends CoordinatorDependencies {
  readonly configuration: DynamicConfiguration
  /** Returns a unique string. */
  readonly newId: () => string
}

/**
 * Maximum memory for the metadata of members, in bytes: any client can join any number of groups
 * with metadata of any size.
 */
const maxGroupMemberBytes = 256 * 1024 * 1024
const maxGroups = 100_000
/** Maximum length of the client id in a member id, which must fit a string of the protocol. */
const memberIdPrefixLength = 1000

/**
 * Maximum number of transactional ids, which any client can invent. Each one takes about half a
 * kilobyte, more with partitions.
 */
const maxTransactionalIds = 200_000

export async function openGroups(dependencies: GroupDependencies): Promise<GroupService> {
  const { runtime, config, logger } = dependencies
  const topic = coordinatorTopic(dependencies, {
    name: offsetsTopicName,
    contents: 'group offsets',
    numPartitions: config['offsets.topic.num.partitions'],
    segmentBytes: config['offsets.topic.segment.bytes'],
  })
  const groups = await GroupService.open({
    clock: runtime.clock,
    logger,
    log: new OffsetsTopic(runtime.clock, topic),
    limits: {
      initialRebalanceDelayMs: config['group.initial.rebalance.delay.ms'],
      maxSize: config['group.max.size'],
      minSessionTimeoutMs: config['group.min.session.timeout.ms'],
      maxSessionTimeoutMs: config['group.max.session.timeout.ms'],
      maxOffsetMetadataBytes: config['offset.metadata.max.bytes'],
      offsetsRetentionMs: config['offsets.retention.minutes'] * 60_000,
      maxMemberBytes: maxGroupMemberBytes,
      maxGroups,
      consumer: consumerGroupLimits(dependencies),
    },
    catalog: dependencies.controller.state,
    offsetsRetentionCheckIntervalMs: config['offsets.retention.check.interval.ms'],
    rarePoints: runtime.rarePoints,
    newMemberId: (prefix) => `${memberIdPrefix(prefix)}-${dependencies.newId()}`,
  })
  followLeadership(dependencies, offsetsTopicName, groups)
  return groups
}

function consumerGroupLimits({
  config,
  controller,
  configuration,
}: GroupDependencies): ConsumerGroupLimits {
  const policy = config['group.consumer.migration.policy']
  const value = (name: GroupConfigName) => (groupId: string) =>
    groupConfigValue(name, controller.state.groupConfigs(groupId), configuration.current)
  return {
    maxSize: config['group.consumer.max.size'],
    classicMaxSize: config['group.max.size'],
    assignors: listElements(config['group.consumer.assignors']).filter(isAssignorName),
    canUpgrade: policy === 'upgrade' || policy === 'bidirectional',
    canDowngrade: policy === 'downgrade' || policy === 'bidirectional',
    sessionTimeoutMs: value('consumer.session.timeout.ms'),
    heartbeatIntervalMs: value('consumer.heartbeat.interval.ms'),
  }
}

function memberIdPrefix(name: string): string {
  return name.slice(0, memberIdPrefixLength).toWellFormed()
}

export async function openTransactions(
  dependencies: CoordinatorDependencies & {
    readonly producerIds: ProducerIds
    readonly groups: TransactionalOffsets
  },
): Promise<TransactionService> {
  const { runtime, config, logger, controller, replicas, producerIds, groups } = dependencies
  const topic = coordinatorTopic(dependencies, {
    name: transactionStateTopicName,
    contents: 'transactional ids (transactions open in it stay open)',
    numPartitions: config['transaction.state.log.num.partitions'],
    segmentBytes: config['transaction.state.log.segment.bytes'],
  })
  const transactions = await TransactionService.open({
    clock: runtime.clock,
    scheduler: runtime.scheduler,
    rarePoints: runtime.rarePoints,
    logger,
    log: new TransactionStateTopic(runtime.clock, topic),
    markers: new TransactionMarkers({
      clock: runtime.clock,
      rarePoints: runtime.rarePoints,
      logger,
      findPartition: async (of) => {
        const known = controller.state.topic(of.topic)
        const partition = known && (await replicas.readable(known, of.partition))
        return partition ?? replicas.errorCodeOfMissing(known, of.partition)
      },
      offsets: groups,
    }),
    nextProducerId: () => producerIds.next(),
    limits: {
      maxTimeoutMs: config['transaction.max.timeout.ms'],
      expirationMs: config['transactional.id.expiration.ms'],
      maxTransactionalIds,
    },
    abortIntervalMs: config['transaction.abort.timed.out.transaction.cleanup.interval.ms'],
    expiryIntervalMs: config['transaction.remove.expired.transaction.cleanup.interval.ms'],
  })
  followLeadership(dependencies, transactionStateTopicName, transactions)
  return transactions
}

interface TopicOptions {
  readonly name: string
  readonly contents: string
  readonly numPartitions: number
  readonly segmentBytes: number
}

/** Lets a coordinator follow the leadership of its topic, after the partitions have followed it. */
function followLeadership(
  { replicas }: CoordinatorDependencies,
  topic: string,
  coordinator: { follow(): void },
): void {
  replicas.onFollowed((name) => {
    if (name === topic) coordinator.follow()
  })
}

function coordinatorTopic(
  { runtime, config, controller, replicas }: CoordinatorDependencies,
  { name, contents, numPartitions, segmentBytes }: TopicOptions,
): CoordinatorTopic {
  const topic = () => controller.state.topic(name)
  const segmentKey =
    segmentBytes < smallestSegmentBytes ? 'internal.segment.bytes' : 'segment.bytes'
  const configs = [
    { name: 'cleanup.policy', value: 'compact' },
    { name: segmentKey, value: String(segmentBytes) },
  ]
  return new CoordinatorTopic({
    name,
    contents,
    rarePoints: runtime.rarePoints,
    partitionCount: () => topic()?.partitions.length ?? numPartitions,
    leadership: (partition) => {
      const known = topic()
      // A partition that does not exist yet is loaded under the epoch that its creation gives it.
      if (!known) return { leaderEpoch: firstLeaderEpoch, isLed: true }
      const { leader, leaderEpoch } = replicas.registrationOf(known, partition)
      // An offline partition is not an empty one: a group would be told that it has no offsets.
      const isUsable = !replicas.isOffline(known, partition)
      return { leaderEpoch, isLed: leader === config['node.id'] && isUsable }
    },
    find: (partition) => replicas.partition(name, partition),
    open: (partition) => replicas.open(topic()!, partition),
    ensureTopic: async () => {
      if (topic()) return
      const request = { name, numPartitions, replicationFactor: 1, assignments: [], configs }
      const { message } = await controller.createTopic(request)
      if (topic()) return
      throw new BrokerError('COORDINATOR_UNAVAILABLE', `${name} cannot be created: ${message}`)
    },
  })
}
