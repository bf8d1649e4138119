// WaitingRequests: every request gets its own answer, exactly once, in any order.

import { expect, it } from 'vitest'
import { WaitingRequests } from '../../../broker/coordinators/waitingRequests.ts'

it('answers each request by its number, in any order', async () => {
  const waiting = new WaitingRequests()
  const ids: number[] = []
  const answers = ['a', 'b', 'c'].map(() => waiting.ask<string>(String, (id) => ids.push(id)))
  for (const id of ids.toReversed()) waiting.answer(id, `to ${id}`)
  expect(await Promise.all(answers)).toEqual(ids.map((id) => `to ${id}`))
})

it('a request may be answered immediately, but not twice', async () => {
  const waiting = new WaitingRequests()
  const answered = await waiting.ask<number>(Number, (id) => waiting.answer(id, id))
  expect(() => waiting.answer(answered, 0)).toThrow('is answered once')
})

it('refuseAll refuses every pending request with its own refusal, and no later request', async () => {
  const waiting = new WaitingRequests()
  const asked = ['a', 'b'].map((name) =>
    waiting.ask(
      (code) => `${name} ${code}`,
      () => {},
    ),
  )
  waiting.refuseAll(16)
  expect(await Promise.all(asked)).toEqual(['a 16', 'b 16'])
  expect(waiting.size).toBe(0)
  expect(await waiting.ask<number>(Number, (id) => waiting.answer(id, 7))).toBe(7)
})

it('refuses a request when too many wait, until one is answered', async () => {
  const waiting = new WaitingRequests(1)
  let first = 0
  const answer = waiting.ask<string>(String, (id) => {
    first = id
  })
  expect(await waiting.ask<string>(String, () => expect.fail('not sent'))).toBe('15')
  waiting.answer(first, 'late')
  expect(await answer).toBe('late')
  expect(await waiting.ask<string>(String, (id) => waiting.answer(id, 'next'))).toBe('next')
})
