// A group: every process is a member of it for a while, and observes it. What the observer has is
// what the tree has.

import type { Session } from '../../../../../protocol/coordination/coordination.ts'
import {
  GroupMembership,
  observeGroup,
} from '../../../../../protocol/coordination/recipes/groupMembership.ts'
import { isRefusal } from '../../../../../protocol/coordination/recipes/retry.ts'
import { type Client, isExpired } from './client.ts'

const group = '/group'

export async function groupMember(client: Client): Promise<void> {
  const { member, shared } = client
  const observer = observeGroup(member, group, ({ type }) => shared.reached(`group: ${type}`))
  while (!client.isOver) {
    const session = await client.openSession()
    if (session === undefined) continue
    try {
      await belong(client, session)
    } catch (error) {
      const isTaken = isRefusal(error, 'NODE_EXISTS')
      // A repair may take the node of all participants away.
      const isGone = isRefusal(error, 'NO_NODE') && client.shared.era > 0
      if (!isExpired(error) && !isTaken && !isGone) throw error
    }
    await client.closeSession(session)
    // An earlier run of this process may have the name until its session expires.
    await client.think()
    const names = (member.tree.children(group) ?? []).join()
    const seen = [...observer.members.keys()].sort().join()
    if (names !== seen) shared.violate('group differs', `${client.name}: ${names}, not ${seen}`)
  }
}

async function belong(client: Client, session: Session): Promise<void> {
  const { member, clock, random, node, shared } = client
  const { era } = shared
  const options = { coordination: member, clock, session, group, name: node.host }
  const membership = await GroupMembership.join(options, Buffer.from('0'))
  for (let turn = random.below(6); turn > 0 && !client.isOver; turn--) {
    await client.think()
    if (session.isCertain && !membership.isMember && shared.era === era && era === 0) {
      shared.violate('certain session without its node', `${client.name} is not in its group`)
    }
    if (shared.era === era && random.below(2) === 0) await update(client, membership, turn)
  }
  await membership.leave()
}

/** A damage may have taken the node. */
async function update({ shared }: Client, membership: GroupMembership, turn: number) {
  const { era } = shared
  try {
    await membership.update(Buffer.from(String(turn)))
  } catch (error) {
    if (!isRefusal(error, 'NO_NODE') || (shared.era === era && era === 0)) throw error
  }
}
