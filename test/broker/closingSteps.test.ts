import { expect, test } from 'vitest'
import { ClosingSteps } from '../../broker/closingSteps.ts'

test('steps run once, the newest first, one after another', async () => {
  const closing = new ClosingSteps()
  const ran: string[] = []
  for (const name of ['storage', 'server']) {
    closing.add(async () => {
      ran.push(`${name} closes`)
      await Promise.resolve()
      ran.push(`${name} is closed`)
    })
  }
  await closing.run()
  await closing.run()
  expect(ran).toEqual([
    ...['server closes', 'server is closed', 'storage closes', 'storage is closed'],
  ])
})

test('a failing step does not keep the others from running, and the first failure is reported', async () => {
  const closing = new ClosingSteps()
  let isReleased = false
  closing.add(async () => {
    isReleased = true
  })
  closing.add(() => Promise.reject(new Error('second')))
  closing.add(() => Promise.reject(new Error('first')))
  await expect(closing.run()).rejects.toThrow('first')
  expect(isReleased).toBe(true)
})
