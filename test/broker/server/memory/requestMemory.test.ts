// The share of one connection in the memory for requests: what the shared budget counts, and when
// the connection is not read.

import { expect, it } from 'vitest'
import { MemoryBudget } from '../../../../broker/server/memory/memoryBudget.ts'
import { RequestMemory } from '../../../../broker/server/memory/requestMemory.ts'

function memoryOf(budget: MemoryBudget, onTurn = () => {}): RequestMemory {
  return new RequestMemory(budget, () => 100, onTurn)
}

it('the budget counts what the connection reported last', () => {
  const budget = new MemoryBudget(1000)
  const memory = memoryOf(budget)
  memory.take(60)
  memory.count(10)
  expect(budget.usedBytes).toBe(70)
  memory.release(60)
  memory.count(0)
  expect(budget.usedBytes).toBe(0)
})

it('a connection above its limit is not read until it is down to half of it', () => {
  const memory = memoryOf(new MemoryBudget(1000))
  memory.take(101)
  expect(memory.mustPause(false)).toBe(true)
  memory.release(50)
  expect(memory.mustPause(true)).toBe(true)
  memory.release(1)
  expect(memory.mustPause(true)).toBe(false)
})

it('a connection waits in line while the budget is exceeded', () => {
  const budget = new MemoryBudget(50)
  let turns = 0
  const memory = memoryOf(budget, () => turns++)
  budget.take(51)
  expect(memory.waitIfExceeded(false)).toBe(true)
  expect(memory.waitIfExceeded(false)).toBe(false)
  expect(memory.mustPause(false)).toBe(true)
  budget.release(51)
  expect(turns).toBe(1)
  expect(memory.mustPause(false)).toBe(false)
})

it('leaving the line ends the wait', () => {
  const budget = new MemoryBudget(50)
  const memory = memoryOf(budget)
  budget.take(51)
  memory.waitIfExceeded(true)
  memory.leaveLine()
  expect(budget.isWaitedFor).toBe(false)
  expect(memory.mustPause(false)).toBe(false)
})

it('more is never released than was taken', () => {
  const memory = memoryOf(new MemoryBudget(50))
  memory.take(10)
  expect(() => memory.release(11)).toThrow('a connection releases no more memory than it holds')
  const budget = new MemoryBudget(50)
  expect(() => budget.release(1)).toThrow('no more memory is released than was taken')
})
