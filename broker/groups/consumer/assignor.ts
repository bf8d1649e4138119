// The server-side assignors. Each is a pure function: the same members, topics and current targets
// give the same assignment.

import type { AssignMembers } from './assignorMember.ts'
import { rangeAssignor } from './rangeAssignor.ts'
import { uniformAssignor } from './uniformAssignor.ts'

/** The assignors, by the name that members request (`ServerAssignor`). */
export const assignors = {
  uniform: uniformAssignor,
  range: rangeAssignor,
} as const satisfies Record<string, AssignMembers>

export type AssignorName = keyof typeof assignors

export function isAssignorName(name: string): name is AssignorName {
  return Object.hasOwn(assignors, name)
}
