// What a server-side assignor is given and gives: who is to have which partitions. A pure function:
// the same members, topics and current targets make the same assignment.

import type { AssignMembers } from './assignorMember.ts'
import { rangeAssignor } from './rangeAssignor.ts'
import { uniformAssignor } from './uniformAssignor.ts'

/** By the name under which members ask for it. */
export const assignors = {
  uniform: uniformAssignor,
  range: rangeAssignor,
} as const satisfies Record<string, AssignMembers>

export type AssignorName = keyof typeof assignors

export function isAssignorName(name: string): name is AssignorName {
  return Object.hasOwn(assignors, name)
}
