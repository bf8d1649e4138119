import { expect, test } from 'vitest'
import {
  GroupCommit,
  type GroupWriter,
} from '../../../../protocol/runtime/scheduling/groupCommit.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'

/** A writer whose writes are ended by the test. */
class ManualWriter implements GroupWriter<string> {
  readonly writes: { group: readonly string[]; end: PromiseWithResolvers<void> }[] = []
  readonly answers: string[] = []
  most = 100
  onFailed: () => void = () => {}

  groupLength(pending: readonly string[]): number {
    return Math.min(pending.length, this.most)
  }
  write(group: readonly string[]): Promise<void> {
    const end = Promise.withResolvers<void>()
    this.writes.push({ group, end })
    return end.promise
  }
  written(group: readonly string[]): void {
    this.answers.push(`written ${group.join('')}`)
  }
  failed(group: readonly string[], error: unknown): void {
    this.answers.push(`failed ${group.join('')}: ${(error as Error).message}`)
    this.onFailed()
  }
}

function opened() {
  const writer = new ManualWriter()
  return { writer, commits: new GroupCommit<string>(writer, systemScheduler) }
}

const turn = () => systemScheduler.nextTurn()

test('items of one turn share a group, and items added while it is written form the next one', async () => {
  const { writer, commits } = opened()
  for (const item of 'abc') commits.add(item)
  expect(writer.writes).toEqual([])
  await turn()
  for (const item of 'de') commits.add(item)
  await turn()
  expect(writer.writes.map(({ group }) => group)).toEqual([['a', 'b', 'c']])
  expect(commits.pending).toEqual(['d', 'e'])
  writer.writes[0]!.end.resolve()
  await turn()
  expect(writer.writes.map(({ group }) => group)).toEqual([
    ['a', 'b', 'c'],
    ['d', 'e'],
  ])
  writer.writes[1]!.end.resolve()
  await commits.idle()
  expect(writer.answers).toEqual(['written abc', 'written de'])
})

test('a bounded group leaves the other items pending, in order', async () => {
  const { writer, commits } = opened()
  writer.most = 2
  for (const item of 'abc') commits.add(item)
  await turn()
  writer.writes[0]!.end.resolve()
  await turn()
  writer.writes[1]!.end.resolve()
  await commits.idle()
  expect(writer.answers).toEqual(['written ab', 'written c'])
})

test('a failed group does not fail the items after it', async () => {
  const { writer, commits } = opened()
  commits.add('a')
  await turn()
  commits.add('b')
  writer.writes[0]!.end.reject(new Error('disk'))
  await turn()
  writer.writes[1]!.end.resolve()
  await commits.idle()
  expect(writer.answers).toEqual(['failed a: disk', 'written b'])
})

test('a writer that drains on failure is given no further group', async () => {
  const { writer, commits } = opened()
  const dropped: string[] = []
  writer.onFailed = () => dropped.push(...commits.drain())
  commits.add('a')
  await turn()
  commits.add('b')
  writer.writes[0]!.end.reject(new Error('disk'))
  await commits.idle()
  expect(dropped).toEqual(['b'])
  expect(writer.writes).toHaveLength(1)
})

test('idle resolves at once without items, and waits for items added meanwhile', async () => {
  const { writer, commits } = opened()
  await commits.idle()
  commits.add('a')
  let isIdle = false
  const idle = commits.idle().then(() => {
    isIdle = true
  })
  await turn()
  commits.add('b')
  writer.writes[0]!.end.resolve()
  await turn()
  expect(isIdle).toBe(false)
  writer.writes[1]!.end.resolve()
  await idle
})
