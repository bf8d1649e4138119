// Candidates of one election, which lead for a while and resign. After the safety phase they stay
// until somebody has led.

import type { Session } from '../../../../../protocol/coordination/coordination.ts'
import { LeaderElection } from '../../../../../protocol/coordination/recipes/leaderElection.ts'
import { type Client, isExpired } from './client.ts'

export async function candidates(client: Client): Promise<void> {
  while (!client.isOver || !client.shared.hasLed) {
    const session = await client.openSession()
    if (session === undefined) continue
    try {
      await stand(client, session)
    } catch (error) {
      if (!isExpired(error)) throw error
    }
    await client.closeSession(session)
    await client.think()
  }
}

/** Until the candidacy has ended, or the candidate has led for long enough. */
async function stand(client: Client, session: Session): Promise<void> {
  const { shared, member, random, clock, node } = client
  const { era } = shared
  const candidate = client.unique()
  const call =
    era % 2 === 0 ? shared.elections.begin(client.name, { kind: 'elect', candidate }) : undefined
  let hasEnded = false
  const options = { coordination: member, clock, random, path: '/election', session }
  const election = await LeaderElection.join(
    { ...options, data: Buffer.from(candidate) },
    {
      onElected: (epoch) => {
        if (shared.era === era) call?.ok({ epoch })
        shared.reached('election: won')
      },
      onLost: () => {
        if (!session.hasEnded) shared.reached('election: lost certainty before the session expired')
      },
      onEnded: () => {
        hasEnded = true
      },
    },
  )
  node.elections.add(election)
  let turns = 1 + random.below(12)
  while (!hasEnded && turns > 0) {
    await client.think()
    if (election.epoch !== undefined) turns--
    if (client.isOver && shared.hasLed) break
  }
  await election.resign()
  node.elections.delete(election)
}
