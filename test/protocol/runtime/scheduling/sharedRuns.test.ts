import { expect, it } from 'vitest'
import { SharedRuns } from '../../../../protocol/runtime/scheduling/sharedRuns.ts'

function controlled() {
  const begun: { key: string; end: (error?: Error) => void }[] = []
  const runs = new SharedRuns((key) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    begun.push({ key, end: (error) => (error ? reject(error) : resolve()) })
    return promise
  })
  return { begun, runs }
}

it('runs once more for all requests during a run', async () => {
  const { begun, runs } = controlled()
  const first = runs.ask('a')
  const later = [runs.ask('a'), runs.ask('a')]
  expect(begun).toHaveLength(1)
  begun[0]!.end()
  await first
  await Promise.resolve()
  expect(begun).toHaveLength(2)
  begun[1]!.end()
  await Promise.all(later)
  const last = runs.ask('a')
  expect(begun).toHaveLength(3)
  begun[2]!.end()
  await last
})

it('runs each key separately', async () => {
  const { begun, runs } = controlled()
  const both = [runs.ask('a'), runs.ask('b')]
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b'])
  for (const { end } of begun) end()
  await Promise.all(both)
})

it('fails only the requests that the failed run served', async () => {
  const { begun, runs } = controlled()
  const first = runs.ask('a')
  const second = runs.ask('a')
  begun[0]!.end(new Error('no'))
  await expect(first).rejects.toThrow('no')
  await Promise.resolve()
  begun[1]!.end()
  await second
})
