// What an assignor knows of a member, and the shape of an assignor.

import type { TopicPartitions } from './topicPartitions.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | null
  /** Only topics that there are. */
  readonly topicIds: ReadonlySet<string>
  /** What it was to have before. */
  readonly target: TopicPartitions
}

/** Every partition of a topic that somebody is subscribed to goes to exactly one subscriber. */
export type AssignMembers = (
  members: readonly AssignorMember[],
  partitionsOf: (topicId: string) => number,
) => ReadonlyMap<string, TopicPartitions>
