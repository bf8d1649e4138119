// Sessions with ephemeral nodes: opened, held for a while, closed. While the session is certain,
// its nodes exist.

import type { Session } from '../../../../../protocol/coordination/coordination.ts'
import { type Client, isExpired } from './client.ts'

export async function ephemerals(client: Client): Promise<void> {
  while (!client.isOver) {
    const session = await client.openSession()
    if (session !== undefined) await hold(client, session)
  }
}

async function hold(client: Client, session: Session): Promise<void> {
  const { random, shared } = client
  const paths: string[] = []
  try {
    for (let left = 1 + random.below(10); left > 0 && !client.isOver; left--) {
      if (random.below(2) === 0) await create(client, session, paths)
      await client.think()
      check(client, session, paths)
    }
    await client.closeSession(session)
  } catch (error) {
    if (!isExpired(error)) throw error
    shared.reached('session: its holder noticed that it expired')
  }
  const left = paths.filter((path) => client.member.tree.exists(path) !== undefined)
  // A member that stops ends its sessions, as far as it can reach the log.
  if (left.length === 0 || client.node.isStopping) return
  shared.violate('ephemeral without session', `${client.name}: ${left.join(', ')} of ${session.id}`)
}

async function create(client: Client, session: Session, paths: string[]): Promise<void> {
  const path = `/ephemeral-${client.unique().replaceAll('/', '-')}`
  const data = client.shared.reference.token(path)
  const { era } = client.shared
  const done = await client.unlessUnavailable(
    session.transact([{ type: 'create', path, data, isEphemeral: true }]),
  )
  // A damage may take it away.
  if (done !== undefined && client.shared.era === era) paths.push(path)
}

function check({ member, shared, name }: Client, session: Session, paths: string[]): void {
  if (!session.isCertain || shared.era > 0) return
  for (const path of paths) {
    if (member.tree.exists(path) !== undefined) continue
    shared.violate('certain session without its node', `${name}: ${path} of ${session.id}`)
  }
}
