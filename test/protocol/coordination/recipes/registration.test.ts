// A process is registered for as long as it is heard, and again after its session has expired.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { observeGroup } from '../../../../protocol/coordination/recipes/groupMembership.ts'
import { Registration } from '../../../../protocol/coordination/recipes/registration.ts'
import { MemberWorld } from '../member/memberWorld.ts'

let world: MemberWorld

beforeEach(() => {
  world = new MemberWorld()
})

afterEach(() => world.close())

const group = '/agents'

test('a process is in its group while it is heard, and again when it is heard again', async () => {
  const [one, other] = [await world.open('one'), await world.open('other')]
  const changes: string[] = []
  const observer = observeGroup(other, group, ({ type, name }) => changes.push(`${type} ${name}`))
  const { clock, logger } = world
  const registration = new Registration({
    ...{ coordination: one, clock, logger, group, name: 'a1@host' },
    about: { version: '1.2.3' },
  })
  await world.pass(1000)
  expect(registration.isRegistered).toBe(true)
  const [[name, data]] = [...observer.members] as [[string, Uint8Array]]
  expect([name, JSON.parse(Buffer.from(data).toString())]).toEqual([
    'a1@host',
    { version: '1.2.3' },
  ])
  world.server.setReachable('one', { toLog: false, fromLog: false })
  await world.pass(30_000)
  expect(registration.isRegistered).toBe(false)
  expect(changes).toEqual(['joined a1@host', 'left a1@host'])
  world.server.setReachable('one', { toLog: true, fromLog: true })
  await world.pass(10_000)
  expect(registration.isRegistered).toBe(true)
  expect(changes).toEqual(['joined a1@host', 'left a1@host', 'joined a1@host'])
  await world.until(registration.close())
  await world.until(other.sync())
  expect(changes.at(-1)).toBe('left a1@host')
})

test('a process that starts again takes its name when the former session has expired', async () => {
  const one = await world.open('one')
  const { clock, logger } = world
  const options = { clock, logger, group, name: 'a1@host', about: {} }
  new Registration({ ...options, coordination: one })
  await world.pass(1000)
  world.server.setReachable('one', { toLog: false, fromLog: false })
  const again = new Registration({ ...options, coordination: await world.open('again') })
  await world.pass(2000)
  expect(again.isRegistered).toBe(false)
  await world.pass(20_000)
  expect(again.isRegistered).toBe(true)
})

test('a registration closes although the log is damaged', async () => {
  const [one, other] = [await world.open('one'), await world.open('other')]
  const { clock, logger } = world
  const registration = new Registration({
    ...{ coordination: one, clock, logger, group, name: 'a1@host', about: {} },
  })
  await world.pass(1000)
  world.server.loseSuffix(1)
  await world.pass(5000)
  expect(other.status).toBe('damaged')
  await world.until(registration.close())
})
