// A log that forked, lost entries or was created anew under its members: all of them notice, make no
// change, keep their trees, and go on after a repair.

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Coordination } from '../../../../protocol/coordination/coordination.ts'
import { repairedHistory } from '../../../../protocol/coordination/member/repair.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
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

async function everyoneStops(reason: RegExp): Promise<void> {
  await world.pass(10_000)
  for (const member of members) {
    expect(member.status).toBe('damaged')
    expect(member.problem).toMatch(reason)
    expect(member.tree.children('/')).toHaveLength(5)
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
