// The input of an assignor for one member, and the signature of an assignor.

import type { TopicPartitions } from './topicPartitions.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | null
  /** Existing topics only. */
  readonly topicIds: ReadonlySet<string>
  /** The target assignment so far. */
  readonly target: TopicPartitions
}

/** Assigns every partition of a subscribed topic to exactly one subscriber. */
export type AssignMembers = (
  members: readonly AssignorMember[],
  partitionsOf: (topicId: string) => number,
) => ReadonlyMap<string, TopicPartitions>
