// The coordination log in memory: conformance without and with faults, and what the faults and the
// damage are.

import { describe, expect, test } from 'vitest'
import { MemoryLogServer } from '../../../../protocol/coordination/log/memoryLog.ts'
import type { MemoryLogFaults } from '../../../../protocol/coordination/log/memoryLogFaults.ts'
import { promptFate } from '../../../../protocol/coordination/log/memoryLogFaults.ts'
import { type Random, seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import {
  coordinationLogConformance,
  type LogsUnderTest,
  Recorder,
} from './coordinationLogConformance.ts'
import { untilOn } from './manualTime.ts'

function memoryLogs(
  faults: MemoryLogFaults | undefined,
  keptEntries = 0,
): LogsUnderTest & { server: MemoryLogServer; clock: ManualClock } {
  const clock = new ManualClock()
  const server = new MemoryLogServer({
    clock,
    scheduler: systemScheduler,
    random: seededRandom(1),
    keptEntries,
    ...(faults && { faults }),
  })
  return {
    server,
    clock,
    open: async (member) => server.open(member),
    until: (condition) => untilOn(clock, condition),
    close: async () => {},
    setReachable: (member, isReachable) =>
      server.setReachable(member, { toLog: isReachable, fromLog: isReachable }),
    recreate: async () => server.recreate(),
    loseSuffix: async (count) => server.loseSuffix(count),
  }
}

/** Every fault at once, each often. */
function drawnFaults(random: Random): MemoryLogFaults {
  const happens = (percent: number) => random.below(100) < percent
  return {
    request: () => ({
      // Some arrive after the caller has given up.
      requestMs: happens(5) ? 3000 + random.below(4000) : random.below(20),
      answerMs: random.below(20),
      isRequestLost: happens(5),
      isAnswerLost: happens(5),
      againAfterMs: happens(10) ? random.below(8000) : undefined,
    }),
    deliveryMs: () => (happens(10) ? random.below(3000) : random.below(10)),
  }
}

coordinationLogConformance('memoryLog', async () => memoryLogs(undefined), { propertyRuns: 100 })
coordinationLogConformance('memoryLog with kept entries', async () => memoryLogs(undefined, 5), {
  manyEntries: 50,
  propertyRuns: 30,
})
for (const seed of [1, 2, 3]) {
  coordinationLogConformance(
    `memoryLog with faults drawn from ${seed}`,
    async () => memoryLogs(drawnFaults(seededRandom(seed))),
    { manyEntries: 300, propertyRuns: 30 },
  )
}

describe('the faults of memoryLog', () => {
  test('a request that arrives after the timeout of its caller takes effect', async () => {
    let requestMs = 6000
    const { server, clock, until } = memoryLogs({
      request: () => ({ ...promptFate, requestMs }),
      deliveryMs: () => 0,
    })
    const log = server.open('a')
    const outcome = log.append(1, Buffer.from('late')).catch((error: unknown) => error)
    await clock.advanceAndSettle(5000)
    expect(await outcome).toMatchObject({ code: 'COORDINATION_UNAVAILABLE' })
    expect(server.history().lastSequence).toBe(0)
    await clock.advanceAndSettle(1000)
    expect(server.history().lastSequence).toBe(1)
    requestMs = 0
    const again = log.append(1, Buffer.from('late'))
    await until(() => true)
    expect(await again).toBe('conflict')
  })

  test('a request may arrive again, which has the effect that it has then', async () => {
    const { server, clock } = memoryLogs({
      request: () => ({ ...promptFate, againAfterMs: 1000 }),
      deliveryMs: () => 0,
    })
    const log = server.open('a')
    const [outcome] = await Promise.all([log.append(1, Buffer.from('one')), settle()])
    expect(outcome).toBe('appended')
    server.loseSuffix(1)
    await clock.advanceAndSettle(999)
    expect(server.history().lastSequence).toBe(0)
    await clock.advanceAndSettle(1)
    expect(server.history().lastSequence).toBe(1)
  })

  test('requests during a pause take effect in order when it ends', async () => {
    const { server, clock } = memoryLogs(undefined)
    const [a, b] = [server.open('a'), server.open('b')]
    const recorder = new Recorder(0)
    a.subscribe(0, recorder)
    server.pause()
    const outcomes = [a.append(1, Buffer.from('a')), b.append(1, Buffer.from('b'))]
    await clock.advanceAndSettle(4000)
    expect(server.history().lastSequence).toBe(0)
    expect(recorder.reachable).toEqual([false])
    server.resume()
    await settle()
    expect(await Promise.all(outcomes)).toEqual(['appended', 'conflict'])
    expect(recorder.texts).toEqual(['a'])
    expect(recorder.reachable).toEqual([false, true])
  })

  test('a member that is heard but hears nothing appends without knowing', async () => {
    const { server, clock } = memoryLogs(undefined)
    const log = server.open('a')
    const recorder = new Recorder(0)
    log.subscribe(0, recorder)
    server.setReachable('a', { toLog: true, fromLog: false })
    const outcome = log.append(1, Buffer.from('one')).catch((error: unknown) => error)
    await clock.advanceAndSettle(5000)
    expect(await outcome).toMatchObject({ code: 'COORDINATION_UNAVAILABLE' })
    expect(server.history().lastSequence).toBe(1)
    expect(recorder.texts).toEqual([])
    server.setReachable('a', { toLog: true, fromLog: true })
    await settle()
    expect(recorder.texts).toEqual(['one'])
  })

  test('a broken subscription goes on where it was', async () => {
    const { server, clock } = memoryLogs(undefined)
    const log = server.open('a')
    const recorder = new Recorder(0)
    log.subscribe(0, recorder)
    await Promise.all([log.append(1, Buffer.from('one')), settle()])
    server.breakSubscriptions('a', 1000)
    await Promise.all([log.append(2, Buffer.from('two')), settle()])
    await clock.advanceAndSettle(999)
    expect(recorder.texts).toEqual(['one'])
    await clock.advanceAndSettle(1)
    expect(recorder.texts).toEqual(['one', 'two'])
  })
})

describe('the damage of memoryLog', () => {
  test('after a fork, later readers get another last entry', async () => {
    const { server } = memoryLogs(undefined)
    const log = server.open('a')
    const [early, late] = [new Recorder(0), new Recorder(0)]
    log.subscribe(0, early)
    await Promise.all([log.append(1, Buffer.from('one')), settle()])
    server.fork(Buffer.from('other'))
    log.subscribe(0, late)
    await settle()
    expect([early.texts, late.texts]).toEqual([['one'], ['other']])
  })

  test('a repaired log is a different one, with the entries of the copy', async () => {
    const { server } = memoryLogs(undefined)
    const log = server.open('a')
    const recorder = new Recorder(0)
    log.subscribe(0, recorder)
    await Promise.all([log.append(1, Buffer.from('one')), settle()])
    const copy = server.history()
    server.loseSuffix(1)
    await settle()
    expect(recorder.lostAt).toEqual([0])
    const identity = { generation: 2, id: 'repaired' }
    server.repair({ ...copy, identity })
    await settle()
    expect(recorder.identities).toEqual([identity])
    const [history] = await Promise.all([log.load(), settle()])
    expect(history).toEqual({ ...copy, identity })
    const again = new Recorder(0)
    log.subscribe(1, again)
    await Promise.all([log.append(2, Buffer.from('two')), settle()])
    expect([recorder.texts, again.texts]).toEqual([['one'], ['two']])
  })
})
