// A snapshot of all groups for one exposition, with the lag of each group in each partition for
// which it has a committed offset. Figures of a group's partition are kept from one exposition to
// the next.

import { labelText } from '../../protocol/telemetry/metrics/metrics.ts'
import { ClassicGroup } from '../groups/classic/classicGroup.ts'
import { ConsumerGroup } from '../groups/consumer/consumerGroup.ts'
import type { Group } from '../groups/group.ts'
import type { GroupService } from '../groups/groupService.ts'
import type { PartitionFigures, PartitionSnapshot } from './partitionSnapshot.ts'
import type { SeriesLimits } from './seriesLimits.ts'

/** Result of reading the log for a lag in seconds. */
export interface LookedUp {
  /** Offset of the next record that the group will read. */
  readonly offset: number
  /** Timestamp of that record; negative if it has none. */
  readonly timestampMs: number
  /** Time of the lookup, on the monotonic clock. */
  readonly atMs: number
  /** Lag at the time of the lookup. */
  readonly lagSeconds: number
}

export interface PartitionLag {
  readonly labels: string
  readonly source: PartitionFigures
  committed: number
  lag: number
  /** When the group first had a lag here that needs a lookup, on the monotonic clock. */
  readonly sinceMs: number
  lookedUp: LookedUp | undefined
  /** The last exposition in which the group had a committed offset. */
  round: number
}

export interface TopicLag {
  readonly labels: string
  readonly partitions: Map<number, PartitionLag>
  /** The partitions in order. */
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
  /** Generation of a classic group, epoch of a KIP-848 group. */
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
  /** Number of groups by protocol and state, without a limit. */
  readonly counts = new Map<string, number>()
  leftOutGroups = 0
  leftOutPartitions = 0

  constructor(sources: GroupSources) {
    this.#sources = sources
  }

  /** The groups that have their own series. */
  groups(): Iterable<GroupFigures> {
    return this.#shown.values()
  }

  *lags(): Generator<PartitionLag, void> {
    for (const { topics } of this.#shown.values()) {
      for (const { order } of topics.values()) yield* order
    }
  }

  /** Takes the snapshot. To be called after the snapshot of partitions was taken. */
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

  /** Returns the number of the group's partitions that fit into the limit. */
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

  /** Removes partitions for which the group no longer has a committed offset. */
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
