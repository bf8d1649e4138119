// Sequential nodes with unique tokens, one at a time or many at once: each has its effect at most
// once, and what the answers say is what happened (coordinationSimulation.ts).

import type { Operation } from '../../../../../protocol/coordination/tree/operation.ts'
import { type Client, isPassing, isUnmade, type Proposal } from './client.ts'

/** Nodes that are left behind. */
const mostKept = 3

export async function queues(client: Client): Promise<void> {
  const { random } = client
  const made: string[] = []
  while (!client.isOver) {
    const count = random.below(4) === 0 ? 1 + random.below(8) : 1
    const paths = await Promise.all(Array.from({ length: count }, () => propose(client)))
    made.push(...paths.filter((path) => path !== undefined))
    const old = made.splice(0, Math.max(0, made.length - mostKept))
    const deletions = old.map((path): Operation => ({ type: 'delete', path }))
    if (deletions.length > 0) await client.unlessUnavailable(remove(client, deletions))
    await client.think()
  }
}

/** A damage may have taken the nodes. */
async function remove({ member, shared }: Client, deletions: readonly Operation[]): Promise<void> {
  const { era } = shared
  await member.transact(deletions).catch((error: { code?: unknown }) => {
    const isExplained = shared.era !== era || era > 0
    if (error.code !== 'NO_NODE' || !isExplained) throw error
  })
}

async function propose(client: Client): Promise<string | undefined> {
  const { shared, member } = client
  const token = client.unique()
  const proposal: Proposal = { token, era: shared.era, answer: 'none' }
  shared.proposals.push(proposal)
  const data = shared.reference.token(token)
  try {
    const [result] = await member.transact([
      { type: 'create', path: '/queue-', data, isSequential: true },
    ])
    if (shared.era === proposal.era) {
      proposal.answer = 'done'
      compare(client, token, result!.path)
    }
    return result!.path
  } catch (error) {
    if (!isPassing(error)) throw error
    if (shared.era === proposal.era) proposal.answer = isUnmade(error) ? 'unmade' : 'unknown'
    return undefined
  }
}

function compare({ shared, name }: Client, token: string, path: string): void {
  if (shared.era % 2 === 1) return
  const effect = shared.reference.effectOf(token)
  if (effect?.result.path === path) return
  const actual = effect === undefined ? 'it was not made' : `it is ${effect.result.path}`
  shared.violate('wrong answer', `${name} was answered that ${token} is ${path}, but ${actual}`)
}
