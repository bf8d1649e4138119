// Participants of a double barrier: nobody passes it before as many as are needed have entered.

import type { Session } from '../../../../../protocol/coordination/coordination.ts'
import { DoubleBarrier } from '../../../../../protocol/coordination/recipes/barrier.ts'
import { isRefusal } from '../../../../../protocol/coordination/recipes/retry.ts'
import { type Client, isClosed, isExpired } from './client.ts'

/** Participants that have to be there. */
export const barrierCount = 2

export async function participant(client: Client): Promise<void> {
  while (!client.isOver) {
    const session = await client.openSession()
    if (session === undefined) continue
    const over = closeWhenOver(client, session)
    try {
      for (let round = 0; round < 3 && !client.isOver; round++) await meet(client, session)
    } catch (error) {
      const isTaken = isRefusal(error, 'NODE_EXISTS')
      // A repair may take the node of all participants away.
      const isGone = isRefusal(error, 'NO_NODE') && client.shared.era > 0
      if (!isExpired(error) && !isTaken && !isGone) throw error
    }
    await client.closeSession(session)
    // An earlier run of this process may have the name until its session expires.
    await client.think()
    await over
  }
}

/** Others may not come any more: who waits for them gives up. */
async function closeWhenOver(client: Client, session: Session): Promise<void> {
  while (!client.isOver && !session.hasEnded) await client.pause(500)
  try {
    await client.closeSession(session)
  } catch (error) {
    // The participant gets the same answer.
    if (!isClosed(error)) throw error
  }
}

async function meet(client: Client, session: Session): Promise<void> {
  const { member, clock, shared, node } = client
  const { era, barrier } = shared
  const path = `/barrier-${era}`
  const options = { coordination: member, clock, session, path, name: node.host }
  const participation = new DoubleBarrier({ ...options, count: barrierCount })
  // Those that failed count until their sessions expire.
  barrier.set(node.host, era)
  await participation.enter()
  const present = [...barrier.values()].filter((other) => other === era).length
  if (shared.era === era && era % 2 === 0) {
    shared.reached('barrier: passed')
    // One that is behind may see a round from which others have gone since its session expired.
    if (present < barrierCount && session.isCertain) {
      shared.violate('barrier passed early', `${client.name} passed with ${present} present`)
    }
  }
  await client.think()
  await participation.leave()
  barrier.delete(node.host)
}
