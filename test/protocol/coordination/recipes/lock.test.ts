import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type HeldLock, Lock } from '../../../../protocol/coordination/recipes/lock.ts'
import { hasSettled, type Peer, RecipeWorld } from './recipeWorld.ts'

const path = '/locks/one'

let world: RecipeWorld

beforeEach(() => {
  world = new RecipeWorld()
})

afterEach(() => world.close())

function acquire({ coordination, session }: Peer, signal?: AbortSignal): Promise<HeldLock> {
  const { clock, random } = world
  return new Lock({ coordination, clock, random, path }).acquire(session, signal)
}

function waiting(peer: Peer): number {
  return peer.coordination.tree.children(path)?.length ?? 0
}

describe('a lock', () => {
  test('is held by one at a time, in the order of their calls, with tokens that grow', async () => {
    const peers = await world.peers(4)
    const tokens: number[] = []
    let holders = 0
    const work = peers.map(async (peer) => {
      for (let round = 0; round < 3; round++) {
        const lock = await acquire(peer)
        expect([++holders, lock.isHeld]).toEqual([1, true])
        tokens.push(lock.fencingToken)
        await peer.coordination.sync()
        expect(lock.isHeld).toBe(true)
        holders--
        await lock.release()
        expect(lock.isHeld).toBe(false)
      }
    })
    await world.until(Promise.all(work))
    expect(tokens).toHaveLength(12)
    expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other))
    expect(waiting(peers[0]!)).toBe(0)
  })

  test('passes on when the session of its holder ends, who knows before', async () => {
    const peers = await world.peers(2)
    const lock = await world.until(acquire(peers[0]!))
    const next = acquire(peers[1]!)
    world.disconnect('peer-0')
    await world.passUntil(() => !lock.isHeld)
    expect(await hasSettled(next)).toBe(false)
    expect(await hasSettled(lock.ended)).toBe(false)
    const held = await world.until(next)
    expect(held.fencingToken).toBeGreaterThan(lock.fencingToken)
    world.reconnect('peer-0')
    await world.until(lock.ended)
    expect([lock.isHeld, held.isHeld]).toEqual([false, true])
  })

  test('is given up by one who stops waiting, whose reason is the error', async () => {
    const peers = await world.peers(3)
    const lock = await world.until(acquire(peers[0]!))
    const abort = new AbortController()
    const second = acquire(peers[1]!, abort.signal)
    second.catch(() => undefined)
    await world.pass(500)
    const third = acquire(peers[2]!)
    await world.pass(500)
    expect(waiting(peers[0]!)).toBe(3)
    abort.abort(new Error('not needed any more'))
    await expect(second).rejects.toThrow('not needed any more')
    await world.pass(500)
    expect(waiting(peers[0]!)).toBe(2)
    await world.until(lock.release())
    expect((await world.until(third)).isHeld).toBe(true)
  })

  test('is not requested with a signal that has aborted', async () => {
    const peer = await world.peer('peer-0')
    await expect(acquire(peer, AbortSignal.abort(new Error('too late')))).rejects.toThrow(
      'too late',
    )
    await world.pass(500)
    expect(waiting(peer)).toBe(0)
  })

  test('leaves no node of one who stopped waiting while the log could not be reached', async () => {
    const peers = await world.peers(2)
    await world.prepare(peers[0]!, path)
    world.deafen('peer-0')
    const abort = new AbortController()
    const lock = acquire(peers[0]!, abort.signal)
    lock.catch(() => undefined)
    await world.pass(2600)
    abort.abort(new Error('stopped'))
    await expect(lock).rejects.toThrow('stopped')
    await world.until(peers[1]!.coordination.sync())
    expect(waiting(peers[1]!)).toBe(1)
    world.reconnect('peer-0')
    await world.pass(2000)
    expect(waiting(peers[1]!)).toBe(0)
    expect(peers[0]!.session.hasEnded).toBe(false)
  })

  test('is released for certain also when the log could not be reached meanwhile', async () => {
    const peers = await world.peers(2)
    const lock = await world.until(acquire(peers[0]!))
    const next = acquire(peers[1]!)
    await world.pass(500)
    world.disconnect('peer-0')
    const released = lock.release()
    expect(lock.isHeld).toBe(false)
    await world.pass(2600)
    expect(await hasSettled(released)).toBe(false)
    world.reconnect('peer-0')
    await world.until(released)
    expect((await world.until(next)).isHeld).toBe(true)
    expect(peers[0]!.session.hasEnded).toBe(false)
  })

  test('is refused to a session that ends while it waits', async () => {
    const peers = await world.peers(2)
    await world.until(acquire(peers[0]!))
    const second = acquire(peers[1]!)
    second.catch(() => undefined)
    await world.pass(500)
    await world.until(peers[1]!.session.close())
    await expect(world.until(second)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
  })

  test('is not acquired before the session is certain again', async () => {
    // 5 % of the timeout are for clocks that differ: the time to reconnect in.
    const peers = [await world.peer('peer-0'), await world.peer('peer-1', 60_000)]
    const lock = await world.until(acquire(peers[0]!))
    const second = acquire(peers[1]!)
    await world.pass(500)
    // Its requests are lost: it hears of the release, and does not know if it has expired.
    world.server.setReachable('peer-1', { toLog: false, fromLog: true })
    await world.passUntil(() => !peers[1]!.session.isCertain)
    expect(peers[1]!.session.hasEnded).toBe(false)
    await world.until(lock.release())
    expect(await hasSettled(second)).toBe(false)
    world.reconnect('peer-1')
    expect((await world.until(second)).isHeld).toBe(true)
  })
})
