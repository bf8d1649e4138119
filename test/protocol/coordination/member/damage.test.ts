// A log that forked, lost entries or was created anew under its members: all of them notice, make
// no change, keep their trees, and go on after a repair.

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Coordination } from '../../../../protocol/coordination/coordination.ts'
import { readLocalCopy } from '../../../../protocol/coordination/log/localCopy.ts'
import { promptFate } from '../../../../protocol/coordination/log/memoryLogFaults.ts'
import { repairedHistory } from '../../../../protocol/coordination/member/repair.ts'
import { Replica } from '../../../../protocol/coordination/member/replica.ts'
import { Lock } from '../../../../protocol/coordination/recipes/lock.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { MemoryStores } from '../../../../protocol/runtime/store/memoryStore.ts'
import { create, MemberWorld, set, text, watched } from './memberWorld.ts'

let world: MemberWorld
let members: Coordination[]

beforeEach(async () => {
  world = new MemberWorld()
  members = [await world.open('a'), await world.open('b'), await world.open('c')]
  for (let n = 0; n < 5; n++) await world.until(members[0]!.transact([create(`/n${n}`)]))
  for (const member of members) await world.until(member.sync())
})

afterEach(() => world.close())

async function everyoneStops(reason: RegExp, nodes = 5): Promise<void> {
  await world.pass(10_000)
  for (const member of members) {
    expect(member.status).toBe('damaged')
    expect(member.problem).toMatch(reason)
    expect(member.tree.children('/')).toHaveLength(nodes)
    const change = member.transact([create('/late')])
    await expect(world.until(change)).rejects.toMatchObject({ code: 'COORDINATION_DAMAGED' })
  }
}

test('a lost suffix is noticed by everyone', async () => {
  world.server.loseSuffix(2)
  await everyoneStops(/lost entries/)
})

test('a lost suffix that a member in the dark writes over is noticed by everyone', async () => {
  world.server.setReachable('c', { toLog: true, fromLog: false })
  await world.until(members[0]!.transact([set('/n1', 'acknowledged')]))
  await world.until(members[1]!.sync())
  world.server.setReachable('a', { toLog: false, fromLog: false })
  world.server.setReachable('b', { toLog: false, fromLog: false })
  world.server.loseSuffix(2)
  world.server.setReachable('c', { toLog: true, fromLog: true })
  for (let n = 0; n < 3; n++) await world.until(members[2]!.transact([set('/n2', `${n}`)]))
  expect(members[2]!.status).toBe('connected')
  world.server.setReachable('a', { toLog: true, fromLog: true })
  world.server.setReachable('b', { toLog: true, fromLog: true })
  await everyoneStops(/another|lost|was written after/)
})

test('members that were given different entries at one place all notice', async () => {
  world.server.setReachable('c', { toLog: true, fromLog: false })
  await world.until(members[0]!.transact([set('/n1', 'one')]))
  await world.until(members[1]!.sync())
  const [last] = world.server.history().entries.slice(-1)
  const other = Buffer.from(last!.bytes)
  other[other.length - 1]! ^= 1
  world.server.fork(other)
  world.server.setReachable('c', { toLog: true, fromLog: true })
  await world.pass(10_000)
  for (const member of members) expect(member.status).toBe('damaged')
})

test('a fork behind a snapshot is noticed by who skips to the snapshot', async () => {
  const stores = new MemoryStores()
  const copy = { directory: '/copy', openStore: stores.open }
  const d = await world.open('d', { copy })
  world.server.setReachable('c', { toLog: true, fromLog: false })
  await world.until(members[0]!.transact([set('/n1', 'acknowledged')]))
  for (const member of [members[1]!, d]) await world.until(member.sync())
  await world.until(d.close())
  for (const name of ['a', 'b']) world.server.setReachable(name, { toLog: false, fromLog: false })
  world.server.loseSuffix(1)
  world.server.setReachable('c', { toLog: true, fromLog: true })
  // The first entry after the lost one has its place; a snapshot removes both from the log.
  const e = await world.open('e', { snapshotEntries: 4 })
  for (let n = 0; n < 9; n++) await world.until(e.transact([set('/n2', `${n}`)]))
  expect(members[2]!.status).toBe('connected')
  const seen = watched(members[0]!, '/')
  world.server.setReachable('a', { toLog: true, fromLog: true })
  await world.pass(100)
  expect(members[0]!.problem).toMatch(/the snapshot at entry \d+ follows another entry \d+ than/)
  expect([text(members[0]!, '/n1'), seen]).toEqual(['acknowledged', []])
  // So does the one that was down meanwhile, from what it has kept.
  const again = await world.open('d', { copy })
  expect(again.problem).toMatch(/entry \d+ is another one than this process has kept/)
  expect(text(again, '/n1')).toBe('acknowledged')
  world.server.setReachable('b', { toLog: true, fromLog: true })
  await world.pass(10_000)
  for (const member of [...members, again, e]) expect(member.status).toBe('damaged')
})

test('a log that was created anew is noticed by everyone', async () => {
  world.server.recreate()
  await everyoneStops(/created anew/)
})

test('a repaired log is followed by everyone, from the copy that was chosen', async () => {
  const chosen = world.server.history()
  const before = members[0]!.tree.zxid
  const session = await world.until(members[1]!.openSession({ timeoutMs: 6000, name: 'test' }))
  world.server.loseSuffix(3)
  await everyoneStops(/lost entries/)
  const seen = watched(members[2]!, '/')
  world.server.repair(repairedHistory(chosen, seededRandom(5)))
  await world.pass(3000)
  await world.until(members[0]!.transact([set('/n0', 'after')]))
  for (const member of members) {
    await world.until(member.sync())
    expect(member.status).toBe('connected')
    expect(member.problem).toBeUndefined()
    expect(text(member, '/n0')).toBe('after')
  }
  expect(seen).toEqual(['changed /n0'])
  // zxids are fencing epochs: none of before the repair is ever given out again.
  expect(members[0]!.tree.exists('/n0')!.modifiedZxid).toBeGreaterThan(before + 2 ** 39)
  // The copy was made before the session was opened.
  expect(session.hasEnded).toBe(true)
})

test('a log that was created anew is followed again when it is repaired', async () => {
  const chosen = world.server.history()
  world.server.recreate()
  await everyoneStops(/created anew/)
  world.server.repair(repairedHistory(chosen, seededRandom(5)))
  await world.pass(3000)
  for (const member of members) {
    await world.until(member.transact([set('/n0', 'after')]))
    expect(member.status).toBe('connected')
  }
})

test('what a member claimed before a repair says nothing about the repaired log', async () => {
  world.server.breakSubscriptions('c', 2500)
  for (let n = 0; n < 5; n++) await world.until(members[0]!.transact([set('/n1', `${n}`)]))
  await world.pass(1500)
  world.server.repair(repairedHistory(world.server.history(), seededRandom(5)))
  await world.pass(8000)
  for (const member of members) expect(member.status).toBe('connected')
})

test('an entry for the damaged log is not appended to the repaired one', async () => {
  const own = new MemberWorld({ requestTimeoutMs: 100 })
  const one = await own.open('one')
  for (let n = 0; n < 3; n++) await own.until(one.transact([create(`/n${n}`)]))
  own.fate = (_, request) => ({ ...promptFate, isRequestLost: request === 'append' })
  const change = one.transact([create('/late')])
  const outcome = expect(own.until(change)).rejects.toThrow('may still be made')
  await own.pass(6000)
  own.server.repair(repairedHistory(own.server.history(), seededRandom(5)))
  await own.pass(100)
  own.fate = () => promptFate
  await outcome
  await own.pass(5000)
  expect([one.status, own.server.history().lastSequence]).toEqual(['connected', 0])
  await own.close()
})

test('a session whose end was taken back by a repair is ended by its member', async () => {
  const session = await world.until(members[0]!.openSession({ timeoutMs: 6000, name: 'test' }))
  const chosen = world.server.history()
  await world.until(session.close())
  world.server.loseSuffix(1)
  world.server.repair(repairedHistory(chosen, seededRandom(5)))
  await world.pass(3000)
  expect(new Replica(world.server.history(), () => {}).sessions.size).toBe(0)
})

test('a lock whose release was taken back by a repair is free all the same', async () => {
  const lock = (member: Coordination) =>
    new Lock({
      ...{ coordination: member, clock: world.clock, random: seededRandom(7) },
      path: '/locks/one',
    })
  const open = (member: Coordination) =>
    world.until(member.openSession({ timeoutMs: 60_000, name: 'test' }))
  const [a, b] = [await open(members[0]!), await open(members[1]!)]
  const held = await world.until(lock(members[1]!).acquire(b))
  const chosen = world.server.history()
  await world.until(held.release())
  world.server.loseSuffix(1)
  world.server.repair(repairedHistory(chosen, seededRandom(5)))
  await world.pass(3000)
  expect(b.hasEnded).toBe(false)
  const next = await world.until(lock(members[0]!).acquire(a), 5000)
  expect(next.isHeld).toBe(true)
  expect(members[0]!.tree.children('/locks/one')).toHaveLength(1)
})

test('a process that was down while entries were lost notices at its start, and keeps its tree', async () => {
  const stores = new MemoryStores()
  const copy = { directory: '/copy', openStore: stores.open }
  const d = await world.open('d', { copy })
  await world.until(d.transact([create('/n5', 'of d')]))
  await world.until(d.close())
  world.server.loseSuffix(1)
  const again = await world.open('d', { copy })
  expect(again.status).toBe('damaged')
  expect(again.problem).toMatch(/ends at \d+, but this process has entry/)
  expect(text(again, '/n5')).toBe('of d')
  const change = again.transact([create('/late')])
  await expect(world.until(change)).rejects.toMatchObject({ code: 'COORDINATION_DAMAGED' })
  await everyoneStops(/lost entries|another/, 6)
  await world.until(again.close())
  const kept = await world.until(readLocalCopy('/copy', stores.open))
  world.server.repair(repairedHistory(kept!, seededRandom(5)))
  await world.pass(3000)
  for (const member of members) expect(text(member, '/n5')).toBe('of d')
})

test('a copy follows snapshots, and is continued after a restart', async () => {
  const stores = new MemoryStores()
  const copy = { directory: '/copy', openStore: stores.open }
  for (let run = 0; run < 3; run++) {
    const d = await world.open('d', { copy, snapshotEntries: 7 })
    for (let n = 0; n < 10; n++) await world.until(d.transact([create(`/d${run}-${n}`)]))
    const nodes = d.tree.children('/')
    const { zxid } = d.tree
    await world.until(d.close())
    const kept = await world.until(readLocalCopy('/copy', stores.open))
    const replica = new Replica(kept!, () => {})
    expect([replica.tree.children('/'), replica.tree.zxid]).toEqual([nodes, zxid])
    expect(kept!.entries.length).toBeLessThan(10)
  }
})

test('what was read from the log before a repair is not folded after it', async () => {
  let readMs = 0
  world.fate = (_, request) => ({ ...promptFate, answerMs: request === 'read' ? readMs : 0 })
  world.server.breakSubscriptions('c', 6000)
  for (let n = 0; n < 5; n++) await world.until(members[0]!.transact([set('/n1', `${n}`)]))
  // The claims of the others make c read after three seconds; the answer comes after the repair.
  readMs = 3500
  await world.pass(4800)
  world.server.repair(repairedHistory(world.server.history(), seededRandom(5)))
  await world.pass(8000)
  for (const member of members) expect(member.status).toBe('connected')
})
