// The event stream over real sockets, with a board larger than a socket's buffer: pages that read
// fast, slowly, or not at all.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ServedConsole, startConsole } from '../../../broker/admin/console.ts'
import { mostPages } from '../../../broker/admin/eventStream.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { turns, until } from '../../eventLoop.ts'
import { plainOperations } from '../../protocol/operations/plainOperations.ts'
import { topic } from './board/boardInput.ts'

let clock: ManualClock
let page: ServedConsole
const tabs: Tab[] = []

beforeEach(async () => {
  clock = new ManualClock()
  let stored = 0
  const names = Array.from(
    { length: 500 },
    (_, at) => `${'a-topic-with-a-long-name-'.repeat(8)}${at}`,
  )
  page = await startConsole({
    operations: plainOperations,
    runtime: {
      clock,
      random: systemRandom(),
      network: memoryNetwork(),
      scheduler: systemScheduler,
    },
    logger: silentLogger,
    address: { host: '127.0.0.1', port: 0 },
    bootstrap: [{ host: 'nowhere', port: 1 }],
    topics: () => {
      stored++
      return names.map((name) => topic(stored, name))
    },
  })
  await seconds(300)
})

afterEach(async () => {
  for (const tab of tabs.splice(0)) tab.socket.destroy()
  await page.close()
})

test('a page that reads immediately gets one board, and then every second', async () => {
  const tab = await open()
  await tab.until(() => tab.boards === 1)
  expect(tab.bytes).toBeGreaterThan(64 * 1024)
  const ticks = 40
  for (let tick = 0; tick < ticks; tick++) {
    await seconds(1)
    // If the rest of a tick is still in flight at the next tick, the later one has both points.
    for (let waits = 0; waits < 20 && tab.newestMs < clock.nowMs(); waits++) await turns(1)
  }
  while (tab.newestMs < clock.nowMs() - 1_000) await seconds(1)
  expect(tab.boards).toBe(1)
  expect(tab.ticks).toBeGreaterThan(1)
  expect(tab.ticks).toBeLessThanOrEqual(tab.points.length)
  expectEverySecond(tab.points)
})

test('a page that reads slowly gets one board, fewer ticks, and every second in them', async () => {
  const tab = await open()
  tab.isSlow = true
  // Reads a quarter of the bytes, until the system's buffers of both sides are full.
  for (let rounds = 0; rounds < 400; rounds++) {
    await seconds(1)
    if (rounds % 2 === 0) tab.socket.resume()
  }
  const opened = tab.openedMs
  tab.isSlow = false
  tab.socket.resume()
  for (let rounds = 0; rounds < 2_000 && tab.newestMs < clock.nowMs() - 1_000; rounds++) {
    await turns(1)
    if (rounds % 100 === 99) await seconds(1)
  }
  expect(tab.closed).toBe(false)
  expect(tab.newestMs).toBeGreaterThanOrEqual(clock.nowMs() - 1_000)
  expect(tab.boards).toBe(1)
  const passed = (clock.nowMs() - opened) / 1_000
  expect(tab.ticks).toBeLessThan(passed - 20)
  expectEverySecond(tab.points)
})

test('a page that never reads takes the memory of one event, is dropped, and may reconnect', async () => {
  const tab = await open()
  tab.socket.pause()
  let peak = 0
  const before = process.memoryUsage().arrayBuffers
  for (let rounds = 0; rounds < 1_000; rounds++) {
    await seconds(1)
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
  }
  tab.socket.resume()
  await tab.until(() => tab.closed)
  expect(tab.boards).toBe(1)
  // The page gets the ticks in the system's buffers, and not a tick for every second.
  expect(tab.ticks).toBeLessThan(200)
  expect(peak).toBeLessThan(32 * 1024 * 1024)
  const again = await open()
  await again.until(() => again.boards === 1)
})

test('the number of pages is bounded, and a closed page makes room for another one', async () => {
  const open100 = await Promise.all(Array.from({ length: mostPages }, () => open()))
  await Promise.all(open100.map((tab) => tab.until(() => tab.boards === 1)))
  const late = await open()
  await late.until(() => late.head.includes('\r\n\r\n'))
  expect(late.head).toMatch(/^HTTP\/1\.1 503 /)
  open100[0]!.socket.destroy()
  for (let tries = 0; ; tries++) {
    expect(tries).toBeLessThan(1_000)
    const next = await open()
    await next.until(() => next.head.includes('\r\n\r\n'))
    if (next.head.startsWith('HTTP/1.1 200')) break
  }
  await seconds(5)
  for (const tab of open100.slice(1)) await tab.until(() => tab.ticks > 0)
  expect(open100.slice(1).map(({ boards }) => boards)).toEqual(Array(mostPages - 1).fill(1))
})

/** Advances the clock by `count` seconds, and lets the sockets work in between. */
async function seconds(count: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    clock.advance(1_000)
    await turns(2)
  }
}

function expectEverySecond(points: readonly number[]): void {
  const first = points[0]!
  expect(points).toEqual(points.map((_, at) => first + 1_000 * at))
}

async function open(): Promise<Tab> {
  const tab = new Tab(Number(new URL(page.url).port), clock.nowMs())
  tabs.push(tab)
  await once(tab.socket, 'connect')
  return tab
}

/** A page as seen from its socket. */
class Tab {
  readonly socket: Socket
  readonly openedMs: number
  head = ''
  bytes = 0
  boards = 0
  ticks = 0
  closed = false
  /** Whether reading pauses after each chunk, until `resume`. */
  isSlow = false
  /** Times of the points in the received ticks. */
  readonly points: number[] = []
  newestMs = 0
  #text = ''

  constructor(port: number, nowMs: number) {
    this.openedMs = nowMs
    this.socket = connect(port, '127.0.0.1')
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: unknown) => this.#read(String(text)))
    this.socket.on('close', () => {
      this.closed = true
    })
    this.socket.on('error', () => {})
    this.socket.write('GET /api/v1/events HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n')
  }

  async until(condition: () => boolean): Promise<void> {
    await until(condition)
  }

  #read(text: string): void {
    if (this.isSlow) this.socket.pause()
    this.bytes += text.length
    if (!this.head.includes('\r\n\r\n')) this.head += text.slice(0, 4_096)
    this.#text += text
    const events = this.#text.split('\n\n')
    this.#text = events.pop()!
    for (const event of events) this.#event(event)
  }

  #event(event: string): void {
    const name = /^event: (\w+)$/m.exec(event)?.[1]
    const data = /^data: (.*)$/m.exec(event)?.[1]
    if (name === 'board') this.boards++
    if (name !== 'tick' || data === undefined) return
    this.ticks++
    const { picture, recent, point } = JSON.parse(data)
    this.newestMs = picture.timeMs
    for (const { timeMs } of recent ?? [point]) this.points.push(timeMs)
  }
}
