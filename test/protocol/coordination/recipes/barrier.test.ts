import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DoubleBarrier } from '../../../../protocol/coordination/recipes/barrier.ts'
import { hasSettled, type Peer, RecipeWorld } from './recipeWorld.ts'

const path = '/barriers/one'

let world: RecipeWorld

beforeEach(() => {
  world = new RecipeWorld()
})

afterEach(() => world.close())

function barrier({ coordination, session }: Peer, name: string, count = 3): DoubleBarrier {
  return new DoubleBarrier({ coordination, session, clock: world.clock, path, name, count })
}

function barriers(peers: readonly Peer[], count = peers.length): DoubleBarrier[] {
  return peers.map((peer, at) => barrier(peer, `${at}`, count))
}

describe('a double barrier', () => {
  test('is entered when all are there, and left when all have left', async () => {
    const all = barriers(await world.peers(3))
    const entering = [all[0]!.enter(), all[1]!.enter()]
    await world.pass(2000)
    expect(await Promise.all(entering.map(hasSettled))).toEqual([false, false])
    await world.until(Promise.all([...entering, all[2]!.enter()]))
    const leaving = [all[0]!.leave(), all[1]!.leave()]
    await world.pass(2000)
    expect(await Promise.all(leaving.map(hasSettled))).toEqual([false, false])
    await world.until(Promise.all([...leaving, all[2]!.leave()]))
  })

  test('can be used again at once, and no round mixes with another', async () => {
    const peers = await world.peers(3)
    const inside = new Set<number>()
    let rounds = 0
    const work = barriers(peers).map(async (each, at) => {
      for (let round = 0; round < 10; round++) {
        await each.enter()
        // Those of this round may be inside, or have left; nobody of the next one.
        expect([Math.floor(rounds / 3), inside.has(at)]).toEqual([round, false])
        inside.add(at)
        await each.leave()
        rounds++
        inside.delete(at)
        if (inside.size === 0) expect(rounds % 3).toBe(0)
      }
    })
    await world.until(Promise.all(work))
    expect(rounds).toBe(30)
  })

  test('does not wait for one whose session ended inside', async () => {
    const peers = await world.peers(3)
    const all = barriers(peers)
    await world.until(Promise.all(all.map((each) => each.enter())))
    const leaving = [all[0]!.leave(), all[1]!.leave()]
    await world.pass(1000)
    world.disconnect('peer-2')
    await world.until(Promise.all(leaving))
  })

  test('does not count one whose session ended before the others came', async () => {
    const peers = await world.peers(3)
    const all = barriers(peers, 2)
    const first = all[0]!.enter()
    first.catch(() => undefined)
    await world.pass(500)
    await world.until(peers[0]!.session.close())
    await expect(world.until(first)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
    const second = all[1]!.enter()
    await world.pass(2000)
    expect(await hasSettled(second)).toBe(false)
    await world.until(Promise.all([second, all[2]!.enter()]))
  })

  test('lets one who comes late wait for the next round', async () => {
    const peers = await world.peers(4)
    const all = barriers(peers, 2)
    await world.until(Promise.all([all[0]!.enter(), all[1]!.enter()]))
    const late = all[2]!.enter()
    await world.pass(2000)
    expect(await hasSettled(late)).toBe(false)
    await world.until(Promise.all([all[0]!.leave(), all[1]!.leave()]))
    await world.pass(2000)
    expect(await hasSettled(late)).toBe(false)
    await world.until(Promise.all([late, all[3]!.enter()]))
  })

  test('goes on with those who came late when the others leave at the same time', async () => {
    const all = barriers(await world.peers(4), 2)
    await world.until(Promise.all([all[0]!.enter(), all[1]!.enter()]))
    const late = [all[2]!.enter(), all[3]!.enter()]
    await world.pass(1000)
    expect(await Promise.all(late.map(hasSettled))).toEqual([false, false])
    // All four propose to close it; whoever is refused has to look again.
    await world.until(Promise.all([all[0]!.leave(), all[1]!.leave(), ...late]))
  })

  test('is not entered by a member that is closed while it does not reach the log', async () => {
    const peer = await world.peer('peer-0')
    const entering = barrier(peer, 'a').enter()
    entering.catch(() => undefined)
    await world.pass(500)
    world.disconnect('peer-0')
    await world.passUntil(() => peer.coordination.status !== 'connected')
    await world.until(peer.coordination.close())
    await expect(world.until(entering)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
  })

  test('is entered by one who was answered as unavailable', async () => {
    const peers = await world.peers(2)
    const all = barriers(peers)
    await world.prepare(peers[0]!, path)
    world.deafen('peer-0')
    const first = all[0]!.enter()
    await world.pass(2600)
    world.reconnect('peer-0')
    await world.until(Promise.all([first, all[1]!.enter()]))
    await world.until(Promise.all(all.map((each) => each.leave())))
  })

  test('refuses a name that another session has', async () => {
    const peers = await world.peers(2)
    const first = barrier(peers[0]!, 'same').enter()
    first.catch(() => undefined)
    await world.pass(500)
    const second = barrier(peers[1]!, 'same').enter()
    await expect(world.until(second)).rejects.toMatchObject({ code: 'NODE_EXISTS' })
  })

  test('is not entered by one whose node somebody deletes', async () => {
    const peers = await world.peers(2)
    const entering = barrier(peers[0]!, 'a').enter()
    entering.catch(() => undefined)
    await world.pass(500)
    const deletion = [{ type: 'delete', path: `${path}/a` }] as const
    await world.until(peers[1]!.coordination.transact(deletion))
    await expect(world.until(entering)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
  })

  test('is left at once by one who has not entered', async () => {
    const peer = await world.peer('peer-0')
    await world.until(barrier(peer, 'a').leave())
  })
})
