import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { repairedHistory } from '../../../../protocol/coordination/member/repair.ts'
import {
  LeaderElection,
  observeLeader,
} from '../../../../protocol/coordination/recipes/leaderElection.ts'
import { type Peer, RecipeWorld } from './recipeWorld.ts'

const path = '/services/election'

let world: RecipeWorld
/** What happened, in order: "a elected", with the epochs aside. */
let story: string[]
let epochs: number[]

beforeEach(() => {
  world = new RecipeWorld()
  story = []
  epochs = []
})

afterEach(() => world.close())

function join({ coordination, session }: Peer, name: string): Promise<LeaderElection> {
  const { clock, random } = world
  const data = Buffer.from(name)
  const options = { coordination, session, clock, random, path, data }
  const joining = LeaderElection.join(options, {
    onElected: (epoch) => {
      story.push(`${name} elected`)
      epochs.push(epoch)
    },
    onLost: () => story.push(`${name} lost`),
    onEnded: () => story.push(`${name} ended`),
  })
  return world.until(joining)
}

describe('an election', () => {
  test('elects one candidate after the other, in the order in which they joined', async () => {
    const peers = await world.peers(3)
    const elections = [
      await join(peers[0]!, 'a'),
      await join(peers[1]!, 'b'),
      await join(peers[2]!, 'c'),
    ]
    await world.pass(1000)
    expect(story).toEqual(['a elected'])
    expect(elections.map(({ epoch }) => epoch !== undefined)).toEqual([true, false, false])
    await world.until(elections[0]!.resign())
    await world.pass(1000)
    expect(story).toEqual(['a elected', 'a lost', 'a ended', 'b elected'])
    await world.until(elections[1]!.resign())
    await world.pass(1000)
    expect(story.slice(4)).toEqual(['b lost', 'b ended', 'c elected'])
    expect(epochs).toEqual([...new Set(epochs)].sort((one, other) => one - other))
  })

  test('passes over a candidate in the middle that resigned', async () => {
    const peers = await world.peers(3)
    const first = await join(peers[0]!, 'a')
    const second = await join(peers[1]!, 'b')
    await join(peers[2]!, 'c')
    await world.until(second.resign())
    await world.until(first.resign())
    await world.pass(1000)
    expect(story).toEqual(['a elected', 'b ended', 'a lost', 'a ended', 'c elected'])
  })

  test('has no second leader when a repair brings an earlier one back', async () => {
    const peers = await world.peers(2)
    const first = await join(peers[0]!, 'a')
    const second = await join(peers[1]!, 'b')
    const chosen = world.server.history()
    await world.until(first.resign())
    await world.pass(1000)
    expect(second.epoch).toBeDefined()
    world.server.repair(repairedHistory(chosen, world.random))
    await world.pass(3000)
    expect(second.epoch).toBeUndefined()
    expect(story.slice(-2)).toEqual(['b lost', 'b ended'])
  })

  test('elects the next one after the leader lost its session, never both at once', async () => {
    const peers = await world.peers(2)
    const first = await join(peers[0]!, 'a')
    const second = await join(peers[1]!, 'b')
    world.disconnect('peer-0')
    for (let ms = 0; ms < 20_000; ms += 100) {
      await world.pass(100)
      expect([first.epoch, second.epoch]).toContain(undefined)
    }
    expect(story).toEqual(['a elected', 'a lost', 'b elected'])
    expect(second.epoch).toBe(epochs[1])
    expect(epochs[1]).toBeGreaterThan(epochs[0]!)
    world.reconnect('peer-0')
    await world.pass(5000)
    expect(story.slice(3)).toEqual(['a ended'])
    expect(first.epoch).toBeUndefined()
  })

  test('is regained with the same epoch by a leader whose session was only uncertain', async () => {
    const peers = await world.peers(2)
    const first = await join(peers[0]!, 'a')
    await join(peers[1]!, 'b')
    // Nobody reaches the log: its clock stands still, no session expires.
    world.server.pause()
    await world.pass(9000)
    expect(story).toEqual(['a elected', 'a lost'])
    expect(first.epoch).toBeUndefined()
    world.server.resume()
    await world.pass(3000)
    expect(story).toEqual(['a elected', 'a lost', 'a elected'])
    expect(epochs[1]).toBe(epochs[0])
  })

  test('is lost when somebody deletes the node of the leader', async () => {
    const [peer, other] = await world.peers(2)
    await join(peer!, 'a')
    await join(other!, 'b')
    const [name] = peer!.coordination.tree.children(path)!.filter((each) => {
      const node = peer!.coordination.tree.get(`${path}/${each}`)!
      return Buffer.from(node.data).toString() === 'a'
    })
    const deletion = [{ type: 'delete', path: `${path}/${name}` }] as const
    await world.until(other!.coordination.transact(deletion))
    await world.pass(1000)
    expect(story.toSorted()).toEqual(['a elected', 'a ended', 'a lost', 'b elected'])
  })

  test('is not decided by a node that is no candidate', async () => {
    const peer = await world.peer('peer-0')
    const paths = ['/services', path, `${path}/0`, `${path}/0-n-0`]
    const nodes = paths.map(
      (each) => ({ type: 'create', path: each, data: Buffer.alloc(0) }) as const,
    )
    await world.until(peer.coordination.transact(nodes))
    const ephemeral = { path: `${path}/1`, data: Buffer.alloc(0), isEphemeral: true }
    await world.until(peer.session.transact([{ type: 'create', ...ephemeral }]))
    await join(peer, 'a')
    expect(story).toEqual(['a elected'])
  })

  test('has one node of a candidate whose creation was answered as unavailable', async () => {
    const [peer, other] = await world.peers(2)
    await world.prepare(peer!, path)
    world.deafen('peer-0')
    const joining = join(peer!, 'a')
    await world.pass(2600)
    await world.until(other!.coordination.sync())
    // The creation has had its effect, and its caller does not know.
    expect(other!.coordination.tree.children(path)).toHaveLength(1)
    await join(other!, 'b')
    world.reconnect('peer-0')
    const first = await joining
    await world.pass(1000)
    expect(other!.coordination.tree.children(path)).toHaveLength(2)
    // Its place is the one of the creation that had its effect first.
    expect(story).toEqual(['a elected'])
    await world.until(first.resign())
    await world.pass(1000)
    expect(story).toEqual(['a elected', 'a lost', 'a ended', 'b elected'])
  })

  test('is refused with a session that has ended', async () => {
    const peer = await world.peer('peer-0')
    await world.until(peer.session.close())
    await expect(join(peer, 'a')).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
  })

  test('ends with a member that is closed while it does not reach the log', async () => {
    const peer = await world.peer('peer-0')
    await join(peer, 'a')
    world.disconnect('peer-0')
    await world.passUntil(() => peer.coordination.status !== 'connected')
    await world.until(peer.coordination.close())
    await world.pass(100)
    expect(story).toEqual(['a elected', 'a lost', 'a ended'])
  })

  test('ends with the member', async () => {
    const [peer, other] = await world.peers(2)
    await join(peer!, 'a')
    await join(other!, 'b')
    await world.until(peer!.coordination.close())
    await world.pass(1000)
    expect(story.toSorted()).toEqual(['a elected', 'a ended', 'a lost', 'b elected'])
  })
})

test('a candidate watches only the one before it', async () => {
  const peers = await world.peers(4)
  const elections: LeaderElection[] = []
  for (const [at, peer] of peers.entries()) elections.push(await join(peer, `${at}`))
  const tree = peers[3]!.coordination.tree
  let reads = 0
  const children = tree.children.bind(tree)
  tree.children = (of) => {
    reads++
    return children(of)
  }
  await world.until(elections[0]!.resign())
  await world.until(elections[1]!.resign())
  await world.until(peers[3]!.coordination.sync())
  expect(reads).toBe(0)
  await world.until(elections[2]!.resign())
  await world.until(peers[3]!.coordination.sync())
  expect(reads).toBe(1)
  expect(story.at(-1)).toBe('3 elected')
})

test('an observer is told who leads, and of every change of it', async () => {
  const peers = await world.peers(3)
  const leaders: (string | undefined)[] = []
  const end = observeLeader(peers[2]!.coordination, path, (leader) => {
    leaders.push(leader && `${leader.epoch}: ${Buffer.from(leader.data)}`)
  })
  const first = await join(peers[0]!, 'a')
  const second = await join(peers[1]!, 'b')
  await world.until(first.resign())
  await world.until(second.resign())
  await world.pass(1000)
  expect(leaders).toEqual([undefined, `${epochs[0]}: a`, `${epochs[1]}: b`, undefined])
  end()
  await join(peers[0]!, 'c')
  await world.pass(1000)
  expect(leaders).toHaveLength(4)
})
