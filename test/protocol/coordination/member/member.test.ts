// A member of coordination over a log that delays, loses and repeats: changes, sessions, watches.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Coordination } from '../../../../protocol/coordination/coordination.ts'
import { Replica } from '../../../../protocol/coordination/member/replica.ts'
import { create, lostAnswer, lostRequest, MemberWorld, set, text, watched } from './memberWorld.ts'

let world: MemberWorld

beforeEach(() => {
  world = new MemberWorld()
})

afterEach(() => world.close())

describe('changes', () => {
  test('a change of one member is in the tree of the other', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    await world.until(one.transact([create('/a', 'first')]))
    await world.until(other.sync())
    expect(text(other, '/a')).toBe('first')
    await world.until(other.transact([set('/a', 'second', 0)]))
    await world.until(one.sync())
    expect(text(one, '/a')).toBe('second')
    expect(one.tree.zxid).toBe(other.tree.zxid)
  })

  test('requests of one turn share one entry', async () => {
    const one = await world.open('one')
    const before = world.server.history().lastSequence
    const changes = Array.from({ length: 100 }, (_, index) => one.transact([create(`/n${index}`)]))
    await world.until(Promise.all(changes))
    expect(world.server.history().lastSequence).toBe(before + 1)
    expect(one.tree.children('/')).toHaveLength(100)
  })

  test('a refused transaction changes nothing, and says why', async () => {
    const one = await world.open('one')
    const refused = one.transact([create('/a'), create('/b/c')])
    await expect(world.until(refused)).rejects.toMatchObject({ code: 'NO_NODE', operation: 1 })
    expect(one.tree.exists('/a')).toBeUndefined()
  })

  test('members that change at the same time each have every change', async () => {
    const members = [await world.open('a'), await world.open('b'), await world.open('c')]
    const sequential = { isSequential: true }
    const all = members.flatMap((member, at) =>
      Array.from({ length: 20 }, () => member.transact([create(`/q-${at}-`, '', sequential)])),
    )
    await world.until(Promise.all(all))
    for (const member of members) {
      await world.until(member.sync())
      expect(member.tree.children('/')).toHaveLength(60)
    }
  })
})

describe('unknown outcomes', () => {
  test.each([
    ['answer', lostAnswer],
    ['request', lostRequest],
  ])('an append whose %s is lost is resolved by reading, and applied once', async (_, fate) => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    let lost = 0
    world.fate = (member, request) =>
      member === 'one' && request === 'append' && lost++ < 2 ? fate : { ...fate, ...prompt }
    await world.until(one.transact([create('/q', '', { isSequential: true })]))
    await world.until(other.sync())
    expect(lost).toBeGreaterThan(0)
    expect(other.tree.children('/')).toEqual(['q0000000000'])
  })

  test('an append that takes effect long after its timeout is applied once', async () => {
    const one = await world.open('one')
    let delays = 0
    world.fate = (_, request) =>
      request === 'append' && delays++ === 0
        ? { ...lostAnswer, ...prompt, requestMs: 7000 }
        : { ...lostAnswer, ...prompt }
    await world.until(one.transact([create('/q', '', { isSequential: true })]))
    await world.pass(20_000)
    await world.until(one.sync())
    expect(one.tree.children('/')).toEqual(['q0000000000'])
  })

  test('an entry without an answer is not proposed again after a gap that a snapshot closes', async () => {
    const one = await world.open('one')
    const other = await world.open('other', { snapshotEntries: 5 })
    world.server.setReachable('one', { toLog: true, fromLog: false })
    const change = one.transact([create('/q-', '', { isSequential: true })])
    await world.pass(100)
    world.server.setReachable('one', { toLog: false, fromLog: false })
    for (let n = 0; n < 12; n++) await world.until(other.transact([create(`/n${n}`)]))
    world.server.setReachable('one', { toLog: true, fromLog: true })
    await expect(world.until(change)).rejects.toThrow('may still be made')
    await world.until(one.sync())
    expect(one.tree.children('/')!.filter((name) => name.startsWith('q-'))).toHaveLength(1)
  })

  test('a caller is answered at its deadline, with whether the change may still be made', async () => {
    const one = await world.open('one', { requestTimeoutMs: 2000 })
    world.server.setReachable('one', { toLog: false, fromLog: true })
    const first = one.transact([create('/a')])
    const outcome = expect(world.until(first)).rejects.toMatchObject({
      code: 'COORDINATION_UNAVAILABLE',
      message: expect.stringContaining('may still be made'),
    })
    await outcome
    const second = one.transact([create('/b')])
    await expect(world.until(second)).rejects.toThrow('was not made, and will not be')
    world.server.setReachable('one', { toLog: true, fromLog: true })
    await world.until(one.sync())
    expect(one.tree.children('/')).toEqual(['a'])
  })

  test('more requests than the bound are refused at once', async () => {
    const one = await world.open('one', { maxPending: 3 })
    const all = Array.from({ length: 5 }, (_, at) => one.transact([create(`/${at}`)]))
    const outcomes = await world.until(Promise.allSettled(all))
    const codes = outcomes.map((each) => (each.status === 'rejected' ? each.reason.code : 'done'))
    expect(codes).toEqual(['done', 'done', 'done', 'COORDINATION_BUSY', 'COORDINATION_BUSY'])
  })
})

describe('sessions', () => {
  const timeoutMs = 6000

  async function leader(member: Coordination, path = '/leader') {
    const session = await world.until(member.openSession({ timeoutMs, name: 'a test' }))
    await world.until(session.transact([create(path, '', { isEphemeral: true })]))
    return session
  }

  test('a session lives for as long as its member is heard', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    const session = await leader(one)
    await world.pass(60_000)
    expect([session.hasEnded, session.isCertain]).toEqual([false, true])
    expect(other.tree.exists('/leader')).toBeDefined()
  })

  test('a member that is cut off is uncertain before the others see its session expire', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    const session = await leader(one)
    const seen = watched(other, '/leader')
    const certainty: boolean[] = []
    session.onCertain((isCertain) => {
      certainty.push(isCertain)
      expect(seen).toEqual([])
    })
    world.server.setReachable('one', { toLog: false, fromLog: false })
    await world.pass(15_000)
    expect(certainty).toEqual([false])
    expect(one.status).toBe('suspended')
    expect(seen).toEqual(['deleted /leader'])
    expect(session.hasEnded).toBe(false)
    world.server.setReachable('one', { toLog: true, fromLog: true })
    await world.until(session.ended)
    const late = session.transact([create('/late')])
    await expect(world.until(late)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
    expect(one.status).toBe('connected')
  })

  test('a dead member expires although the others are never idle', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    await leader(one)
    world.server.setReachable('one', { toLog: false, fromLog: false })
    let isOver = false
    const busy = async () => {
      while (!isOver) {
        await other.sync()
        await new Promise<void>((resolve) => world.clock.setTimer(20, resolve))
      }
    }
    const running = busy()
    await world.pass(20_000)
    isOver = true
    await world.until(running)
    expect(other.tree.exists('/leader')).toBeUndefined()
  })

  test('the last holder of a session expires when only observers remain', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    await leader(one)
    world.server.setReachable('one', { toLog: false, fromLog: false })
    await world.pass(20_000)
    expect(other.tree.exists('/leader')).toBeUndefined()
  })

  test('no session expires while the log cannot be appended to, however often', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    const sessions = [await leader(one, '/one'), await leader(other, '/other')]
    for (let pause = 0; pause < 5; pause++) {
      world.server.pause()
      await world.pass(9000)
      expect(one.status).toBe('suspended')
      world.server.resume()
      await world.pass(3000)
    }
    expect(sessions.map(({ hasEnded }) => hasEnded)).toEqual([false, false])
    expect(sessions.map(({ isCertain }) => isCertain)).toEqual([true, true])
  })

  test('a session that was opened without an answer does not live on', async () => {
    const one = await world.open('one', { requestTimeoutMs: 1000 })
    const other = await world.open('other')
    world.server.setReachable('one', { toLog: true, fromLog: false })
    const opening = one.openSession({ timeoutMs, name: 'a test' })
    await expect(world.until(opening)).rejects.toMatchObject({ code: 'COORDINATION_UNAVAILABLE' })
    world.server.setReachable('one', { toLog: true, fromLog: true })
    await world.pass(2000)
    await world.until(other.sync())
    const created = other.transact([create('/still-works')])
    await world.until(created)
    await world.until(one.sync())
    expect(sessionsIn(world)).toBe(0)
  })

  test('a session that is opened while a snapshot closes a gap has not ended', async () => {
    const one = await world.open('one')
    const other = await world.open('other', { snapshotEntries: 5 })
    world.server.setReachable('one', { toLog: false, fromLog: false })
    const before = one.transact([create('/before')]).catch(() => {})
    await world.pass(100)
    const opening = one.openSession({ timeoutMs, name: 'a test' })
    for (let n = 0; n < 12; n++) await world.until(other.transact([create(`/n${n}`)]))
    world.server.setReachable('one', { toLog: true, fromLog: true })
    const session = await world.until(opening)
    await before
    expect([session.hasEnded, session.isCertain]).toEqual([false, true])
    await world.until(session.close())
    expect(sessionsIn(world)).toBe(0)
  })

  test('a session is not certain from the moment at which it is closed', async () => {
    const one = await world.open('one')
    const session = await leader(one)
    const certainty: boolean[] = []
    session.onCertain((isCertain) => void certainty.push(isCertain))
    const closing = session.close()
    expect([session.isCertain, session.hasEnded]).toEqual([false, false])
    await world.until(closing)
    expect(certainty).toEqual([false])
    expect(one.status).toBe('connected')
  })

  test('a session whose closing was refused does not live on', async () => {
    const one = await world.open('one', { requestTimeoutMs: 1000 })
    const session = await leader(one)
    world.server.setReachable('one', { toLog: false, fromLog: false })
    const before = one.transact([create('/before')]).catch(() => {})
    await world.pass(100)
    await expect(world.until(session.close())).rejects.toThrow('was not made, and will not be')
    await before
    world.server.setReachable('one', { toLog: true, fromLog: true })
    await world.until(session.ended)
    expect(sessionsIn(world)).toBe(0)
  })

  test('closing a member ends its sessions', async () => {
    const [one, other] = [await world.open('one'), await world.open('other')]
    const session = await leader(one)
    await world.until(one.close())
    await world.until(other.sync())
    expect(other.tree.exists('/leader')).toBeUndefined()
    expect(session.hasEnded).toBe(true)
    await expect(one.transact([])).rejects.toMatchObject({ code: 'COORDINATION_CLOSED' })
  })
})

describe('watches', () => {
  test('nothing is missed over a break that only a snapshot closes', async () => {
    const one = await world.open('one', { snapshotEntries: 10 })
    const other = await world.open('other')
    await world.until(one.transact([create('/a'), create('/b')]))
    await world.until(other.sync())
    const seen = watched(other, '/')
    world.server.setReachable('other', { toLog: false, fromLog: false })
    for (let n = 0; n < 25; n++) await world.until(one.transact([set('/a', String(n))]))
    await world.until(one.transact([{ type: 'delete', path: '/b' }, create('/c')]))
    await world.pass(1000)
    world.server.setReachable('other', { toLog: true, fromLog: true })
    await world.until(other.sync())
    expect(text(other, '/a')).toBe('24')
    expect(other.tree.children('/')).toEqual(['a', 'c'])
    // The changes of the node that the snapshot has are one event, the later ones are their own.
    expect([...new Set(seen)].sort()).toEqual(['changed /a', 'created /c', 'deleted /b'])
  })

  test('a listener sees the tree as of its event', async () => {
    const one = await world.open('one')
    const data: (string | undefined)[] = []
    one.watch('/a', 'node', { onEvent: () => void data.push(text(one, '/a')) })
    const changes = [
      one.transact([create('/a', '1')]),
      one.transact([set('/a', '2')]),
      one.transact([set('/a', '3')]),
    ]
    await world.until(Promise.all(changes))
    expect(data).toEqual(['1', '2', '3'])
  })
})

const prompt = { isRequestLost: false, isAnswerLost: false }

/** Number of sessions in the log, as a new member folds it. */
function sessionsIn(from: MemberWorld): number {
  const { snapshot, entries, identity } = from.server.history()
  const replica = new Replica({ snapshot, entries, identity, lastSequence: 0 }, () => {})
  return replica.sessions.size
}
