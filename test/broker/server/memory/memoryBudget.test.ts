// The budget against a model: users that take, wait and release at random. No user proceeds without
// room except the one that may overdraw, none overtakes in line, and none waits forever.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../broker/server/memory/memoryBudget.ts'

describe('a memory budget', () => {
  it('serves requests in order, within its limit, and at most one beyond it', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 1, max: 60 }),
      mayOverdraw: fc.boolean(),
      /**
       * The index of the user that releases its memory afterwards; none if there is no such user.
       */
      returned: fc.option(fc.nat(20)),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new MemoryBudget(100)
        const holding: { bytes: number; end: () => void }[] = []
        const line: number[] = []
        let overdrawing = 0
        const ask = (number: number, bytes: number, mayOverdraw: boolean) => {
          const room = {
            neededBytes: bytes,
            mayOverdraw,
            go: (overdraws: boolean) => {
              if (overdraws) {
                expect(mayOverdraw).toBe(true)
                overdrawing++
                expect(overdrawing).toBe(1)
              } else {
                expect(budget.usedBytes === 0 || budget.usedBytes + bytes <= 100).toBe(true)
                expect(line[0]).toBe(number)
              }
              line.splice(line.indexOf(number), 1)
              budget.take(bytes)
              const end = () => {
                if (overdraws) overdrawing--
                budget.leave(room)
              }
              holding.push({ bytes, end })
            },
          }
          line.push(number)
          budget.wait(room)
        }
        const giveBack = (index: number) => {
          const [held] = holding.splice(index, 1)
          held!.end()
          budget.release(held!.bytes)
        }
        for (const [number, { bytes, mayOverdraw, returned }] of steps.entries()) {
          ask(number, bytes, mayOverdraw)
          if (returned !== null && holding.length > 0) giveBack(returned % holding.length)
          expect(budget.isWaitedFor).toBe(line.length > 0)
        }
        while (holding.length > 0) giveBack(0)
        expect(line).toEqual([])
        expect(budget.usedBytes).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('removes a request that leaves the line, and serves the next one', () => {
    const budget = new MemoryBudget(10)
    budget.take(20)
    const went: string[] = []
    const roomOf = (name: string) => ({
      neededBytes: 1,
      mayOverdraw: true,
      go: () => went.push(name),
    })
    const [first, second, third] = [roomOf('first'), roomOf('second'), roomOf('third')]
    for (const room of [first, second, third]) budget.wait(room)
    expect(went).toEqual(['first'])
    budget.leave(second)
    budget.leave(first)
    expect(went).toEqual(['first', 'third'])
    expect(budget.isWaitedFor).toBe(false)
  })
})
