import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { SimulatedScheduler } from '../../../../protocol/runtime/scheduling/simulatedScheduler.ts'

test('tasks run in the order of the calls, those of the current turn first', async () => {
  const scheduler = new SimulatedScheduler()
  const ran: string[] = []
  scheduler.later(() => ran.push('later'))
  scheduler.soon(() => {
    ran.push('first')
    scheduler.soon(() => ran.push('added'))
  })
  scheduler.soon(() => ran.push('second'))
  expect(scheduler.pending).toBe(3)
  await scheduler.runUntilIdle()
  expect(ran).toEqual(['first', 'second', 'added', 'later'])
  expect(scheduler.isIdle).toBe(true)
  expect(scheduler.runOne()).toBe(false)
})

test('promises settle between tasks, and an awaited turn is a pending task', async () => {
  const scheduler = new SimulatedScheduler()
  const ran: string[] = []
  const walk = async (name: string) => {
    for (let step = 0; step < 3; step++) {
      await scheduler.nextTurn()
      await Promise.resolve()
      ran.push(`${name}${step}`)
    }
  }
  void walk('a')
  void walk('b')
  await scheduler.runUntilIdle()
  expect(ran).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])
})

test('a seed draws the order of runnable tasks, reproducibly', () => {
  const orderOf = (seed: number, count: number): number[] => {
    const scheduler = new SimulatedScheduler({ order: seededRandom(seed) })
    const ran: number[] = []
    for (let task = 0; task < count; task++) scheduler.soon(() => ran.push(task))
    while (scheduler.runOne());
    return ran
  }
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 20 }), (seed, count) => {
      const order = orderOf(seed, count)
      expect(order).toEqual(orderOf(seed, count))
      expect([...order].sort((one, other) => one - other)).toEqual([...Array(count).keys()])
    }),
  )
  const orders = new Set(Array.from({ length: 100 }, (_, seed) => orderOf(seed, 3).join('')))
  expect(orders.size).toBe(6)
})

test('the event loop counts the tasks that wait for a later turn', async () => {
  await systemScheduler.nextTurn()
  const before = systemScheduler.pendingTurns
  let ran = 0
  systemScheduler.later(() => ran++)
  systemScheduler.soon(() => ran++)
  expect(systemScheduler.pendingTurns).toBe(before + 1)
  await systemScheduler.nextTurn()
  expect(ran).toBe(2)
  expect(systemScheduler.pendingTurns).toBe(before)
})
