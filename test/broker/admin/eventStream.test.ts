import { expect, test } from 'vitest'
import { Board } from '../../../broker/admin/board/board.ts'
import { EventStream, mostPages, mostTicksBehind } from '../../../broker/admin/eventStream.ts'

interface Event {
  readonly id: string
  readonly event: string
  readonly data: { recent: { timeMs: number }[]; picture: { timeMs: number } }
}

/** A page. Unless it `keepsUp`, writes return false, although the text is in its socket. */
class Page {
  readonly events: Event[] = []
  keepsUp = true
  dropped = false
  write(text: string): boolean {
    const lines = text.trim().split('\n')
    const fields = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s)))
    this.events.push({ ...fields, data: JSON.parse(fields.data) })
    return this.keepsUp
  }
  drop(): void {
    this.dropped = true
  }
  get names() {
    return this.events.map(({ event }) => event)
  }
  get seconds() {
    return this.events.map(({ data }) => data.recent.map(({ timeMs }) => timeMs / 1_000))
  }
}

class Ticking {
  readonly board = new Board()
  readonly stream = new EventStream(this.board)
  #second = 0
  tick(count = 1): void {
    for (let at = 0; at < count; at++) {
      this.board.tick(++this.#second * 1_000)
      this.stream.tick()
    }
  }
}

test('a page gets the whole board first and then the ticks', () => {
  const ticking = new Ticking()
  ticking.tick()
  const page = new Page()
  ticking.stream.open(page)
  ticking.tick(2)
  expect(page.names).toEqual(['board', 'tick', 'tick'])
  expect(page.seconds).toEqual([[1], [2], [3]])
  ticking.stream.close(page)
  ticking.tick()
  expect(page.events).toHaveLength(3)
})

test('a board larger than the buffer of the socket is sent once, although the write returns false', () => {
  const ticking = new Ticking()
  const page = new Page()
  page.keepsUp = false
  ticking.stream.open(page)
  for (let second = 0; second < 5; second++) {
    for (let drains = 0; drains < 3; drains++) ticking.stream.drained(page)
    ticking.tick()
  }
  expect(page.names).toEqual(['board', 'tick', 'tick', 'tick', 'tick', 'tick'])
  expect(page.seconds.flat()).toEqual([1, 2, 3, 4, 5])
})

test('a page that does not read gets nothing until it reads again, and then the missed ticks', () => {
  const ticking = new Ticking()
  const page = new Page()
  ticking.stream.open(page)
  page.keepsUp = false
  ticking.tick(5)
  expect(page.names).toEqual(['board', 'tick'])
  ticking.stream.drained(page)
  expect(page.names).toEqual(['board', 'tick'])
  ticking.tick()
  expect(page.names).toEqual(['board', 'tick', 'tick'])
  expect(page.seconds.at(-1)).toEqual([2, 3, 4, 5, 6])
  expect(page.events.at(-1)!.data.picture.timeMs).toBe(6_000)
})

test('a page that reads nothing for too long is dropped', () => {
  const ticking = new Ticking()
  const page = new Page()
  page.keepsUp = false
  ticking.stream.open(page)
  ticking.tick(mostTicksBehind - 1)
  expect(page.dropped).toBe(false)
  ticking.tick()
  expect(page.dropped).toBe(true)
  expect(ticking.stream.openPages).toBe(0)
  ticking.stream.drained(page)
  ticking.tick()
  expect(page.events).toHaveLength(1)
})

test('each page gets the ticks that it missed', () => {
  const ticking = new Ticking()
  const [fast, slow] = [new Page(), new Page()]
  for (const page of [fast, slow]) ticking.stream.open(page)
  slow.keepsUp = false
  ticking.tick(3)
  ticking.stream.drained(slow)
  ticking.tick()
  expect(fast.seconds).toEqual([[], [1], [2], [3], [4]])
  expect(slow.seconds).toEqual([[], [1], [2, 3, 4]])
})

test('the number of pages is bounded', () => {
  const stream = new EventStream(new Board())
  for (let at = 0; at < mostPages; at++) stream.open(new Page())
  expect(stream.isFull).toBe(true)
  expect(() => stream.open(new Page())).toThrow('the stream is full')
})
