// All groups as they are at one exposition, with the lag of each in each partition that they have committed
// offsets of. What was known of a partition of a group is kept from one exposition to the next.

import { labelText } from '../../protocol/telemetry/metrics.ts'
import { ClassicGroup } from '../groups/classic/classicGroup.ts'
import { ConsumerGroup } from '../groups/consumer/consumerGroup.ts'
import type { Group } from '../groups/group.ts'
import type { GroupService } from '../groups/groupService.ts'
import type { SeriesLimits } from './partitionCollector.ts'
import type { PartitionFigures, PartitionSnapshot } from './partitionSnapshot.ts'

/** What was read of the log for a lag in seconds. */
export interface LookedUp {
  /** Of the record that the group had to read next. */
  readonly offset: number
  /** Of that record; negative when it has none. */
  readonly timestampMs: number
  /** By the monotonic clock. */
  readonly atMs: number
  /** The lag at that time. */
  readonly lagSeconds: number
}

export interface PartitionLag {
  readonly labels: string
  readonly source: PartitionFigures
  committed: number
  lag: number
  /** When the lag of this partition began to be of interest, by the monotonic clock. */
  readonly sinceMs: number
  lookedUp: LookedUp | undefined
  /** The exposition that has seen the group's commit. */
  round: number
}

export interface TopicLag {
  readonly labels: string
  readonly partitions: Map<number, PartitionLag>
  /** The same in their order. */
  order: readonly PartitionLag[]
  round: number
}

export interface GroupFigures {
  readonly groupId: string
  readonly labels: string
  readonly infoLabels: string
  readonly protocol: string
  readonly state: string
  readonly members: number
  /** Generation of a classic group, epoch of the other kind. */
  readonly generation: number
  readonly topics: Map<string, TopicLag>
}

export interface GroupSources {
  readonly groups: Pick<GroupService, 'groups' | 'offsets'>
  readonly partitions: PartitionSnapshot
  readonly monotonicMs: () => number
  readonly limits: () => SeriesLimits
}

export class GroupSnapshot {
  readonly #sources: GroupSources
  #shown = new Map<string, GroupFigures>()
  #round = 0
  /** Groups by protocol and state, all of them. */
  readonly counts = new Map<string, number>()
  leftOutGroups = 0
  leftOutPartitions = 0

  constructor(sources: GroupSources) {
    this.#sources = sources
  }

  /** The groups that have series of their own. */
  groups(): Iterable<GroupFigures> {
    return this.#shown.values()
  }

  *lags(): Generator<PartitionLag, void> {
    for (const { topics } of this.#shown.values()) {
      for (const { order } of topics.values()) yield* order
    }
  }

  /** Looks at everything anew, after the snapshot of partitions. */
  take(): void {
    const limits = this.#sources.limits()
    const before = this.#shown
    this.#shown = new Map()
    this.#round++
    this.counts.clear()
    this.leftOutGroups = 0
    this.leftOutPartitions = 0
    let left = limits['http.metrics.max.partitions']
    for (const group of this.#sources.groups.groups()) {
      if (group.state === 'Dead') continue
      this.#count(group)
      if (this.#shown.size >= limits['http.metrics.max.groups']) {
        this.leftOutGroups++
        continue
      }
      const figures = figuresOf(group, before.get(group.groupId))
      this.#shown.set(group.groupId, figures)
      left -= this.#look(figures, left)
    }
  }

  #count({ type, state }: Group): void {
    const labels = labelText({ protocol: type, state })
    this.counts.set(labels, (this.counts.get(labels) ?? 0) + 1)
  }

  /** Returns how many partitions the group has, of those that there was place for. */
  #look({ groupId, topics }: GroupFigures, left: number): number {
    let shown = 0
    for (const entry of this.#sources.groups.offsets(groupId)?.committed() ?? []) {
      const source = this.#sources.partitions.topic(entry.topic)?.partitions[entry.partition]
      if (!source) continue
      if (shown >= left) {
        this.leftOutPartitions++
        continue
      }
      shown++
      const { topic, partition } = entry
      const figures = this.#lagOf(topics, groupId, topic, partition, source)
      figures.committed = entry.value.offset
      figures.lag = Math.max(0, source.highWatermark - entry.value.offset)
    }
    this.#prune(topics)
    return shown
  }

  #lagOf(
    topics: Map<string, TopicLag>,
    consumergroup: string,
    topic: string,
    partition: number,
    source: PartitionFigures,
  ): PartitionLag {
    let ofTopic = topics.get(topic)
    if (!ofTopic) {
      const labels = labelText({ consumergroup, topic })
      ofTopic = { labels, partitions: new Map(), order: [], round: this.#round }
      topics.set(topic, ofTopic)
    }
    ofTopic.round = this.#round
    let lag = ofTopic.partitions.get(partition)
    if (lag?.source !== source) {
      lag = {
        labels: Buffer.from(labelText({ consumergroup, topic, partition })).toString(),
        source,
        committed: 0,
        lag: 0,
        sinceMs: this.#sources.monotonicMs(),
        lookedUp: undefined,
        round: this.#round,
      }
      ofTopic.partitions.set(partition, lag)
    }
    lag.round = this.#round
    return lag
  }

  /** Removes what the group has no offset of any more. */
  #prune(topics: Map<string, TopicLag>): void {
    for (const [topic, ofTopic] of topics) {
      const { partitions, round } = ofTopic
      if (round !== this.#round) topics.delete(topic)
      for (const [partition, lag] of partitions) {
        if (lag.round !== this.#round) partitions.delete(partition)
      }
      ofTopic.order = [...partitions.values()]
    }
  }
}

function figuresOf(group: Group, before: GroupFigures | undefined): GroupFigures {
  const { groupId, type: protocol, state } = group
  let members = 0
  let generation = 0
  if (group instanceof ClassicGroup) {
    for (const _ of group.members()) members++
    generation = group.generationId
  } else if (group instanceof ConsumerGroup) {
    for (const _ of group.members()) members++
    generation = group.groupEpoch
  }
  const isSame = before?.protocol === protocol && before.state === state
  return {
    groupId,
    labels: before?.labels ?? labelText({ consumergroup: groupId }),
    infoLabels: isSame ? before.infoLabels : labelText({ consumergroup: groupId, protocol, state }),
    protocol,
    state,
    members,
    generation,
    topics: before?.topics ?? new Map(),
  }
}
