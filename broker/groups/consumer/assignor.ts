// The server-side assignors. Each is a pure function: the same members, topics and current targets
// make the same assignment.

import type { AssignMembers } from './assignorMember.ts'
import { rangeAssignor } from './rangeAssignor.ts'
import { uniformAssignor } from './uniformAssignor.ts'

/** By the name that members ask for. */
export const assignors = {
  uniform: uniformAssignor,
  range: rangeAssignor,
} as const satisfies Record<string, AssignMembers>

export type AssignorName = keyof typeof assignors

export function isAssignorName(name: string): name is AssignorName {
  return Object.hasOwn(assignors, name)
}
