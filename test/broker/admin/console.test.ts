// The console over HTTP and in a browser. The broker is faked: the page depends on the board only.

import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type ConsoleServerOptions,
  type ServedConsole,
  startConsole,
} from '../../../broker/admin/console.ts'
import { mostPages } from '../../../broker/admin/eventStream.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import type { JobStatus } from '../../../protocol/telemetry/status/status.ts'
import { plainOperations } from '../../protocol/operations/plainOperations.ts'
import { hasTool } from '../../tools.ts'
import { agentStatus, jobStatus, topic } from './board/boardInput.ts'

const runtime = nodeRuntime(memoryNetwork())
const nowhere = { host: 'nowhere', port: 1 }
let page: ServedConsole

const start = (host: string, port = 0, more: Partial<ConsoleServerOptions> = {}) =>
  startConsole({
    runtime,
    logger: silentLogger,
    address: { host, port },
    bootstrap: [nowhere],
    topics: () => [],
    operations: plainOperations,
    ...more,
  })

beforeEach(async () => {
  page = await start('127.0.0.1')
})
afterEach(async () => {
  await page.close()
})

const status = (rows: JobStatus['views'][number]['rows']): JobStatus => ({
  kind: 'job',
  id: 'job/demo',
  name: 'demo',
  timeMs: 1_000,
  state: 'running',
  topics: ['orders'],
  batchIntervalMs: 1_000,
  lagRecords: 0,
  recordsTotal: 12_345,
  batches: [],
  views: [
    {
      name: 'by-age',
      title: 'Purchases by <age>',
      chart: 'bar',
      batchId: 7,
      offsets: [],
      rows,
      labels: { '3': '25–29' },
    },
    { name: 'age-share', title: 'Share', chart: 'share', batchId: 7, offsets: [], rows },
  ],
})

describe('over HTTP', () => {
  test('serves the page, its files, the board and the metrics', async () => {
    const html = await fetch(page.url)
    expect(await html.text()).toContain('<title>Millrace</title>')
    for (const path of ['page/page.js', 'vendor/preact/preact.mjs', 'vendor/uplot/uPlot.esm.js']) {
      expect((await fetch(page.url + path)).status, path).toBe(200)
    }
    page.board.hear(status([['3', 40]]), runtime.clock.nowMs())
    page.board.tick(runtime.clock.nowMs())
    const picture = (await (await fetch(`${page.url}api/v1/status`)).json()) as { jobs: unknown[] }
    expect(picture.jobs).toMatchObject([{ name: 'demo', recordsTotal: 12_345 }])
    expect(await (await fetch(`${page.url}metrics`)).text()).toBe('millrace_up 1\n')
  })

  test('allows the page only what the page uses, and does not require HTTPS', async () => {
    const { headers } = await fetch(page.url)
    const policy = headers.get('content-security-policy')!.split(';')
    expect(policy.map((directive) => directive.replace(/'sha256-.+?'/, 'HASH'))).toEqual([
      "default-src 'none'",
      "script-src 'self' HASH",
      "style-src 'self'",
      "img-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ])
    expect(headers.get('strict-transport-security')).toBeNull()
  })

  test('serves no files outside of its directories', async () => {
    for (const path of ['page/..%2fconsole.ts', 'vendor/preact/..%2f..%2fpackage.json', 'x']) {
      expect((await fetch(page.url + path)).status, path).toBeGreaterThanOrEqual(400)
    }
  })

  test('refuses requests under another host name', async () => {
    const { request } = await import('node:http')
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { host: 'evil.example' }
      request(page.url, { headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(answer).toBe(403)
  })

  test('streams the whole board first', async () => {
    const stop = new AbortController()
    const response = await fetch(`${page.url}api/v1/events`, { signal: stop.signal })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const { value } = await response.body!.getReader().read()
    expect(Buffer.from(value!).toString()).toMatch(/^id: \d+\nevent: board\ndata: \{"picture":/)
    stop.abort()
  })
})

describe('problems of the broker', () => {
  const problems = ({ board }: ServedConsole) => board.picture.problems.map(({ text }) => text)

  test('an unreachable broker is a problem after a few seconds, with duration and cause', async () => {
    const clock = new ManualClock()
    const manual = await start('127.0.0.1', 0, { runtime: { ...runtime, clock } })
    try {
      await clock.advanceAndSettle(2_000)
      expect(problems(manual)).toEqual([])
      await clock.advanceAndSettle(20_000)
      expect(problems(manual)).toHaveLength(1)
      expect(problems(manual)[0]).toMatch(/^broker unreachable for \d+ s, .*nowhere/)
    } finally {
      await manual.close()
    }
  })

  test('an unhealthy broker is a problem, with the reason that /healthy returns', async () => {
    const message = 'data directory /data has failed: check the disk, and start again'
    const reasons = [{ code: 'DATA_DIRECTORY_FAILED', message }]
    const health = { unhealthy: () => reasons, notReady: () => [] }
    const sick = await start('127.0.0.1', 0, { operations: { ...plainOperations, health } })
    try {
      expect(problems(sick)).toEqual([`broker: ${message}`])
      expect((await fetch(`${sick.url}healthy`)).status).toBe(503)
    } finally {
      await sick.close()
    }
  })

  test('topics that cannot be read are a problem, and the clock of the board continues', async () => {
    const clock = new ManualClock()
    let isAway = false
    const topics = () => {
      if (isAway) throw new Error('closed')
      return [topic(5)]
    }
    const manual = await start('127.0.0.1', 0, { runtime: { ...runtime, clock }, topics })
    try {
      clock.advance(1_000)
      isAway = true
      clock.advance(1_000)
      expect(problems(manual)).toEqual(['failed to read the topics of the broker: closed'])
      expect(manual.board.picture.topics).toHaveLength(1)
      isAway = false
      clock.advance(1_000)
      expect(problems(manual)).toEqual([])
    } finally {
      await manual.close()
    }
  })
})

describe('mistakes', () => {
  test('an address that other hosts can reach is refused', async () => {
    await expect(start('0.0.0.0')).rejects.toMatchObject({ code: 'NOT_LOOPBACK' })
  })

  test('a port in use is one clear error', async () => {
    const port = Number(new URL(page.url).port)
    await expect(start('127.0.0.1', port)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`port ${port} is in use`),
    })
  })
})

describe.runIf(hasTool('chromium'))('in a browser', () => {
  let browser: Browser
  let tab: Page
  const problems: string[] = []

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    })
  })
  afterAll(() => browser.close())
  beforeEach(async () => {
    problems.length = 0
    tab = await browser.newPage()
    tab.on('pageerror', (error) => problems.push(error.message))
    tab.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
  })
  afterEach(async () => {
    await tab.close()
    expect(problems).toEqual([])
  })

  for (const width of [360, 1280, 1920]) {
    test(`shows the right numbers at ${width} pixels, and nothing overlaps or overflows`, async () => {
      page.board.hear(
        status([
          ['', 1],
          ['3', 40],
          ['4', 59],
        ]),
        runtime.clock.nowMs(),
      )
      await tab.setViewportSize({ width, height: 1000 })
      await tab.goto(page.url)
      const bars = tab.locator('article', { hasText: 'Purchases by <age>' })
      await bars.locator('.bars').waitFor()
      expect(await bars.locator('.bars').textContent()).toMatch(
        /not given\s*11%\s*25–29\s*4040%\s*4\s*5959%/,
      )
      expect(await tab.locator('.node', { hasText: '12,345 counted' }).count()).toBe(1)
      await tab.locator('.uplot canvas').first().waitFor()
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await overlapping(tab)).toEqual([])
    })
  }

  test('shows why a job failed, what a slow batch is doing, rejected and lost records, and the host', async () => {
    const nowMs = runtime.clock.nowMs()
    const text = 'batch 17 for 45 s, partition 3 of stage 2 (map)'
    page.board.hear(
      jobStatus(nowMs, 5, {
        ...{ id: 'job/slow', name: 'slow', host: 'h1', address: 'http://127.0.0.1:4711' },
        progress: { text, batchId: 17, sinceMs: nowMs - 45_000 },
        rejected: {
          ...{ total: 1_200, topics: [{ topic: 'orders', records: 1_200 }] },
          first: [{ topic: 'orders', partition: 1, offset: 77, error: 'not <a> number' }],
        },
        lostRecords: 3,
      }),
      nowMs,
    )
    const error = 'TypeError: cannot read age\n    at row (job.ts:3:1)'
    const failed = { id: 'job/failed', name: 'failed', state: 'failed' as const, error }
    page.board.hear(jobStatus(nowMs, 5, failed), nowMs)
    await tab.setViewportSize({ width: 1280, height: 1000 })
    await tab.goto(page.url)
    const slow = tab.locator('details.job', { hasText: 'on host h1' })
    await slow.getByText(`Now: ${text}`).waitFor()
    await slow.getByText('on host h1, answers at http://127.0.0.1:4711').waitFor()
    await slow.getByText('3 records were deleted before the job read them.').waitFor()
    await slow.getByText('1,200 records rejected since the start (orders 1,200)').click()
    await slow.getByText('orders-1 offset 77: not <a> number').waitFor()
    await tab.locator('details.job pre.error', { hasText: 'at row (job.ts:3:1)' }).waitFor()
    await tab.getByRole('link', { name: `job slow: ${text}` }).waitFor()
    for (const width of [360, 1280]) {
      await tab.setViewportSize({ width, height: 1000 })
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await overlapping(tab)).toEqual([])
    }
  })

  test('fits into a narrower window before its charts are resized', async () => {
    page.board.hear(status([['3', 40]]), runtime.clock.nowMs())
    await tab.addInitScript('ResizeObserver.prototype.observe = () => {}')
    await tab.setViewportSize({ width: 1280, height: 1000 })
    await tab.goto(page.url)
    await tab.locator('.uplot canvas').first().waitFor()
    await tab.setViewportSize({ width: 360, height: 1000 })
    expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(360)
  })

  test('shows new reports without a reload', async () => {
    await tab.goto(page.url)
    page.board.hear(status([['3', 1_000]]), runtime.clock.nowMs())
    await tab.locator('.bars', { hasText: '1,000' }).waitFor()
    page.board.hear({ ...status([['3', 2_500]]), timeMs: 2_000 }, runtime.clock.nowMs())
    await tab.locator('.bars', { hasText: '2,500' }).waitFor()
  })

  test('shows problems first, with links into collapsed sections too', async () => {
    const nowMs = runtime.clock.nowMs()
    for (let at = 0; at < 20; at++) {
      const state = at === 15 ? 'failed' : 'running'
      const job = { id: `job/j${at} ä%`, name: `j${at} ä%`, state, error: 'no age' } as const
      page.board.hear(jobStatus(nowMs, 5, { ...job, views: [] }), nowMs)
    }
    await tab.goto(page.url)
    const link = tab.getByRole('link', { name: 'job j15 ä% FAILED: no age' })
    await link.waitFor()
    expect(await tab.title()).toBe('NOT WELL – Millrace')
    expect(await tab.getByText('live', { exact: true }).count()).toBe(0)
    const target = tab.locator('.node', { hasText: 'j15 ä%' })
    expect(await target.isVisible()).toBe(false)
    await link.focus()
    await tab.keyboard.press('Enter')
    await target.waitFor()
    expect(await tab.evaluate('document.activeElement.id')).toBe('job/j15 ä%')
  })

  test('shows that its figures are stale when the stream stops, and recovers', async () => {
    const clock = new ManualClock()
    const options = { runtime: { ...runtime, clock }, topics: () => [topic(5)] }
    const mine = await start('127.0.0.1', 0, options)
    mine.board.hear(agentStatus(clock.nowMs(), 5), clock.nowMs())
    mine.board.hear(jobStatus(clock.nowMs(), 5), clock.nowMs())
    clock.advance(1_000)
    try {
      await tab.goto(mine.url)
      await tab.getByText('All is well').waitFor()
      // The connection stays open without events, as if the host had vanished.
      await tab.getByText(/no figures from the broker for \d/).waitFor()
      expect(await tab.locator('main.stale').count()).toBe(1)
      expect(await tab.getByText('disconnected').count()).toBe(1)
      clock.advance(1_000)
      await tab.locator('main:not(.stale)').waitFor()
      await tab.getByText('All is well').waitFor()
    } finally {
      await mine.close()
    }
    await tab.getByText(/no figures from the broker for \d/).waitFor()
    // The browser itself logs that the connection is lost.
    expect(problems.splice(0).filter((text) => !text.includes('net::ERR_'))).toEqual([])
  })

  test('values can be read by keyboard, and charts are described in words', async () => {
    const clock = new ManualClock()
    let lines = 0
    const mine = await start('127.0.0.1', 0, {
      runtime: { ...runtime, clock },
      topics: () => [topic(lines)],
    })
    try {
      for (const perSecond of [0, 100, 200, 300]) {
        lines += perSecond
        clock.advance(500)
        mine.board.hear(agentStatus(clock.nowMs(), lines), clock.nowMs())
        mine.board.hear(jobStatus(clock.nowMs(), lines), clock.nowMs())
        clock.advance(500)
      }
      await tab.goto(mine.url)
      const card = tab.locator('article', { hasText: 'Throughput' })
      const plot = card.locator('.plot')
      await plot.focus()
      const read = () => card.locator('li', { hasText: 'read' }).textContent()
      expect(await read()).toContain('300/s')
      await tab.keyboard.press('ArrowLeft')
      await card.getByText(/ at \d\d:\d\d:\d\d/).waitFor()
      expect(await read()).toContain('200/s')
      await tab.keyboard.press('Escape')
      await expect.poll(read).toContain('300/s')
      expect(await plot.getAttribute('aria-label')).toMatch(
        /^Throughput, last 5 minutes\. read: now 300\/s, from 100\/s to 300\/s; /,
      )
      const shares = tab.locator('.multiples')
      await shares.focus()
      await tab.keyboard.press('ArrowLeft')
      await tab
        .locator('article', { hasText: 'Gender' })
        .getByText(/ at \d\d:/)
        .waitFor()
    } finally {
      await tab.goto('about:blank')
      await mine.close()
    }
  })

  test('reconnects when too many pages were open and one of them is closed', async () => {
    const pages = await Promise.all(
      Array.from({ length: mostPages }, async () => {
        const stop = new AbortController()
        const response = await fetch(`${page.url}api/v1/events`, { signal: stop.signal })
        response.body!.pipeTo(new WritableStream()).catch(() => {})
        return stop
      }),
    )
    await tab.goto(page.url)
    await tab.getByText('Not connected; reconnecting').waitFor()
    for (const stop of pages) stop.abort()
    await tab.locator('.verdict').waitFor()
    expect(problems.splice(0).filter((text) => !text.includes('503'))).toEqual([])
  })

  test('300 topics do not hide agents and jobs', async () => {
    const clock = new ManualClock()
    const names = Array.from({ length: 300 }, (_, at) => `topic-${at}`)
    const mine = await start('127.0.0.1', 0, {
      runtime: { ...runtime, clock },
      topics: () => [topic(5), ...names.map((name) => topic(7, name))],
    })
    mine.board.hear(agentStatus(clock.nowMs(), 5), clock.nowMs())
    mine.board.hear(jobStatus(clock.nowMs(), 5), clock.nowMs())
    clock.advance(1_000)
    try {
      await tab.setViewportSize({ width: 1280, height: 800 })
      await tab.goto(mine.url)
      await tab.getByText('300 quiet topics').waitFor()
      expect(await tab.evaluate('document.documentElement.scrollHeight')).toBeLessThan(2_000)
      await tab.getByText('300 quiet topics').click()
      await tab.getByRole('cell', { name: 'topic-299' }).waitFor()
    } finally {
      await tab.goto('about:blank')
      await mine.close()
    }
  })
})

/** Returns the pairs of boxes that overlap on the page. */
async function overlapping(tab: Page): Promise<string[]> {
  const boxes = await tab.locator('article, .ledger, .verdict, .node').evaluateAll((elements) =>
    elements.map((element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect()
      return { name: element.textContent.slice(0, 20), left, right, top, bottom }
    }),
  )
  return boxes.flatMap((a, index) =>
    boxes
      .slice(index + 1)
      .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      .map((b) => `${a.name} / ${b.name}`),
  )
}
