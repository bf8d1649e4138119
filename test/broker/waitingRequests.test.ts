// Every request gets its own answer, whenever that comes, and only one.

import { expect, it } from 'vitest'
import { WaitingRequests } from '../../broker/waitingRequests.ts'

it('answers each request by its number, in any order', async () => {
  const waiting = new WaitingRequests()
  const ids: number[] = []
  const answers = ['a', 'b', 'c'].map(() => waiting.ask<string>((id) => ids.push(id)))
  for (const id of ids.toReversed()) waiting.answer(id, `to ${id}`)
  expect(await Promise.all(answers)).toEqual(ids.map((id) => `to ${id}`))
})

it('may answer at once, but not twice', async () => {
  const waiting = new WaitingRequests()
  const answered = await waiting.ask<number>((id) => waiting.answer(id, id))
  expect(() => waiting.answer(answered, 0)).toThrow('answered twice')
})
