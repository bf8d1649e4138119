import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  GroupMembership,
  observeGroup,
} from '../../../../protocol/coordination/recipes/groupMembership.ts'
import { create, set } from '../member/memberWorld.ts'
import { type Peer, RecipeWorld } from './recipeWorld.ts'

const group = '/groups/agents'

let world: RecipeWorld

beforeEach(() => {
  world = new RecipeWorld()
})

afterEach(() => world.close())

function join({ coordination, session }: Peer, name: string, data: string) {
  const options = { coordination, session, clock: world.clock, group, name }
  return world.until(GroupMembership.join(options, Buffer.from(data)))
}

function observe({ coordination }: Peer) {
  const changes: string[] = []
  const observer = observeGroup(coordination, group, ({ type, name, data }) => {
    changes.push(`${name} ${type}${data === undefined ? '' : ` ${Buffer.from(data)}`}`)
    expect(observer.members.get(name)).toEqual(data)
  })
  return { ...observer, changes }
}

describe('a group', () => {
  test('has who joined with their data, until they leave or their sessions end', async () => {
    const peers = await world.peers(3)
    const { changes, members } = observe(peers[2]!)
    const a = await join(peers[0]!, 'a', '1')
    await join(peers[1]!, 'b', '1')
    await world.until(a.update(Buffer.from('2')))
    expect(a.isMember).toBe(true)
    await world.until(a.leave())
    expect(a.isMember).toBe(false)
    await world.until(peers[1]!.session.close())
    await world.until(peers[2]!.coordination.sync())
    expect(changes).toEqual(['a joined 1', 'b joined 1', 'a updated 2', 'a left', 'b left'])
    expect(members.size).toBe(0)
    await world.until(a.leave())
  })

  test('is known to one who observes it later, with what comes after', async () => {
    const peers = await world.peers(2)
    const a = await join(peers[0]!, 'a', '1')
    await world.until(peers[1]!.coordination.sync())
    const { changes, members, close } = observe(peers[1]!)
    expect([...members]).toEqual([['a', Buffer.from('1')]])
    await world.until(a.update(Buffer.from('2')))
    await world.until(peers[1]!.coordination.sync())
    close()
    await world.until(a.update(Buffer.from('3')))
    await world.until(peers[1]!.coordination.sync())
    expect(changes).toEqual(['a updated 2'])
  })

  test('has been left by one whose session ends while it leaves', async () => {
    const peers = await world.peers(2)
    const { changes } = observe(peers[1]!)
    const a = await join(peers[0]!, 'a', '1')
    world.disconnect('peer-0')
    const leaving = a.leave()
    await world.pass(10_000)
    world.reconnect('peer-0')
    await world.until(leaving)
    expect(peers[0]!.session.hasEnded).toBe(true)
    expect(changes).toEqual(['a joined 1', 'a left'])
  })

  test('refuses a name that another session has', async () => {
    const peers = await world.peers(2)
    await join(peers[0]!, 'a', '1')
    await expect(join(peers[1]!, 'a', '2')).rejects.toMatchObject({ code: 'NODE_EXISTS' })
    await world.until(peers[0]!.session.close())
    await join(peers[1]!, 'a', '2')
  })

  test('is joined once by one who was answered as unavailable', async () => {
    const peers = await world.peers(2)
    const { changes } = observe(peers[1]!)
    await world.prepare(peers[0]!, group)
    world.deafen('peer-0')
    const joining = join(peers[0]!, 'a', '1')
    await world.pass(2600)
    expect(changes).toEqual(['a joined 1'])
    world.reconnect('peer-0')
    expect((await joining).isMember).toBe(true)
    await world.until(peers[1]!.coordination.sync())
    expect(changes).toEqual(['a joined 1'])
  })

  test('tells nothing of what is below its members, nor of itself', async () => {
    const peers = await world.peers(1)
    const { changes, members } = observe(peers[0]!)
    const { coordination } = peers[0]!
    const paths = ['/groups', group, `${group}/x`, `${group}/x/y`]
    await world.until(coordination.transact(paths.map((path) => create(path))))
    await world.until(coordination.transact([set(group, 'z'), set(`${group}/x/y`, 'z')]))
    expect(changes).toEqual(['x joined '])
    expect([...members.keys()]).toEqual(['x'])
  })

  test('tells of a member that a transaction replaced, and not of one that it undid', async () => {
    const peers = await world.peers(1)
    const { coordination } = peers[0]!
    await world.until(
      coordination.transact([create('/groups'), create(group), create(`${group}/a`)]),
    )
    const { changes } = observe(peers[0]!)
    const remove = (name: string) => ({ type: 'delete', path: `${group}/${name}` }) as const
    await world.until(
      coordination.transact([
        remove('a'),
        create(`${group}/a`, 'again'),
        create(`${group}/b`),
        remove('b'),
      ]),
    )
    expect(changes).toEqual(['a left', 'a joined again'])
  })
})
