import { expect, test } from 'vitest'
import { Board } from '../../../broker/admin/board.ts'
import { EventStream, mostPages } from '../../../broker/admin/eventStream.ts'

class Page {
  readonly events: { id: string; event: string; data: { history?: unknown[]; point?: unknown } }[] =
    []
  keepsUp = true
  write(text: string): boolean {
    const fields = Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/: (.*)/s)),
    )
    this.events.push({ ...fields, data: JSON.parse(fields.data) })
    return this.keepsUp
  }
  get names() {
    return this.events.map(({ event }) => event)
  }
}

test('a page gets the whole board first and then the ticks', () => {
  const board = new Board()
  const stream = new EventStream(board)
  board.tick(1_000)
  const page = new Page()
  stream.open(page, 1_500)
  expect(page.events[0]!.data.history).toHaveLength(1)
  stream.tick(board.tick(2_000))
  stream.tick(board.tick(3_000))
  expect(page.names).toEqual(['board', 'tick', 'tick'])
  expect(page.events.at(-1)!.data.point).toMatchObject({ timeMs: 3_000 })
  stream.close(page)
  stream.tick(board.tick(4_000))
  expect(page.events).toHaveLength(3)
})

test('a page that does not read is sent nothing more until it has, and then the whole board', () => {
  const board = new Board()
  const stream = new EventStream(board)
  const page = new Page()
  stream.open(page, 0)
  page.keepsUp = false
  for (let second = 1; second <= 5; second++) stream.tick(board.tick(second * 1000))
  expect(page.names).toEqual(['board', 'tick'])
  page.keepsUp = true
  stream.drained(page, 5_500)
  expect(page.names).toEqual(['board', 'tick', 'board'])
  expect(page.events.at(-1)!.data.history).toHaveLength(5)
  stream.tick(board.tick(6_000))
  expect(page.names.at(-1)).toBe('tick')
})

test('there is a most of pages', () => {
  const stream = new EventStream(new Board())
  for (let at = 0; at < mostPages; at++) stream.open(new Page(), 0)
  expect(stream.isFull).toBe(true)
  expect(() => stream.open(new Page(), 0)).toThrow('too many pages')
})
