// Bounds of the records of a stream in flight, and the order of results.

import { expect, test } from 'vitest'
import { JsonLines } from '../../../../../broker/admin/rest/v3/records/jsonTexts.ts'
import type { ProduceResult } from '../../../../../broker/admin/rest/v3/records/produceResult.ts'
import { RecordMemory } from '../../../../../broker/admin/rest/v3/records/recordMemory.ts'
import { resultsOf } from '../../../../../broker/admin/rest/v3/records/recordStream.ts'
import { MemoryBudget } from '../../../../../broker/server/memory/memoryBudget.ts'
import { settle } from '../../../../../protocol/runtime/time/manualClock.ts'
import { turns } from '../../../../eventLoop.ts'

const budget = new MemoryBudget(64e6)

const stream = (
  chunks: AsyncIterable<Buffer>,
  produce: (text: Buffer) => Promise<ProduceResult>,
) => {
  const memory = new RecordMemory(budget)
  return resultsOf(chunks, new JsonLines({ maxBytes: 1e6, memory }), memory, produce)
}

/** Yields lines without end, and counts the lines that were read. */
async function* endless(line: string, read: { count: number }): AsyncGenerator<Buffer> {
  for (;;) {
    read.count++
    yield Buffer.from(`${line}\n`)
  }
}

async function allOf(results: AsyncIterable<string>): Promise<ProduceResult[]> {
  let text = ''
  for await (const piece of results) text += piece
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ProduceResult)
}

test('while no record is stored, at most a thousand are in flight', async () => {
  const read = { count: 0 }
  let produced = 0
  const stored: ((result: ProduceResult) => void)[] = []
  const results = stream(endless('{}', read), () => {
    produced++
    return new Promise((resolve) => stored.push(resolve))
  })
  const first = results.next()
  await settle()
  expect(produced).toBe(1000)
  expect(read.count).toBeLessThanOrEqual(1001)
  stored[1]!({ error_code: 200, offset: 1 })
  await settle()
  stored[0]!({ error_code: 200, offset: 0 })
  expect((await first).value).toBe('{"error_code":200,"offset":0}\n{"error_code":200,"offset":1}\n')
  void results.return(undefined)
})

test('while no record is stored, at most 4 MiB are in flight', async () => {
  let produced = 0
  const results = stream(endless('x'.repeat(500_000), { count: 0 }), () => {
    produced++
    return new Promise(() => {})
  })
  void results.next()
  await settle()
  expect(produced).toBe(9)
})

test('while the results are not read, the request is not read', async () => {
  const read = { count: 0 }
  const produce = async () => ({ error_code: 200 })
  const results = stream(endless('{}', read), produce)
  await results.next()
  const { count } = read
  await settle()
  expect(read.count).toBe(count)
  await results.return(undefined)
})

test('results are in the order of the records, and the stream of the request is released', async () => {
  let isLetGo = false
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      yield Buffer.from('{"n":0}\n{"n":1}\n{"n"')
      yield Buffer.from(':2}\n')
      yield Buffer.from('{"n":3}')
    } finally {
      isLetGo = true
    }
  }
  const results = stream(chunks(), async (text) => {
    const { n } = JSON.parse(String(text)) as { n: number }
    await turns(4 - n)
    return { error_code: 200, offset: n }
  })
  expect((await allOf(results)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
  expect(isLetGo).toBe(true)
})

test('an aborted request ends the results with an error', async () => {
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('{}\n')
    throw new Error('aborted')
  }
  const results = stream(chunks(), async () => ({ error_code: 200 }))
  await expect(allOf(results)).rejects.toThrow('aborted')
})

test('a request without records has no results', async () => {
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('\n \n')
  }
  expect(await allOf(stream(chunks(), async () => ({ error_code: 200 })))).toEqual([])
})

test('a record holds memory from its first byte until it is stored, or until its request is aborted', async () => {
  const own = new MemoryBudget(64e6)
  const memory = new RecordMemory(own)
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"n":0}\n{"n"')
    throw new Error('aborted')
  }
  let store = (_: ProduceResult) => {}
  const results = resultsOf(chunks(), new JsonLines({ maxBytes: 1e6, memory }), memory, () => {
    expect(own.usedBytes).toBe(7)
    return new Promise((resolve) => {
      store = resolve
    })
  })
  await expect(results.next()).rejects.toThrow('aborted')
  // The complete record is still in flight.
  expect(own.usedBytes).toBe(7)
  store({ error_code: 200 })
  await settle()
  expect(own.usedBytes).toBe(0)
})

test('while others fill the memory, a stream has one small record in flight, and large ones are refused', async () => {
  const own = new MemoryBudget(1e6)
  const others = new RecordMemory(own)
  others.take(1e6)
  const memory = new RecordMemory(own)
  let onTheirWay = 0
  let most = 0
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"n":0}\n'.repeat(5))
    yield Buffer.from(`${'x'.repeat(100_000)}\n`)
    yield Buffer.from('{"n":1}\n')
  }
  const results = resultsOf(
    chunks(),
    new JsonLines({ maxBytes: 1e6, memory }),
    memory,
    async () => {
      most = Math.max(most, ++onTheirWay)
      await turns(1)
      onTheirWay--
      return { error_code: 200 }
    },
  )
  const codes = (await allOf(results)).map(({ error_code }) => error_code)
  expect(codes).toEqual([200, 200, 200, 200, 200, 429, 200])
  expect(most).toBe(1)
  expect(own.usedBytes).toBe(1e6)
})
