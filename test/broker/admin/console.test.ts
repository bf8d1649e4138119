// The console as a browser and as a stranger sees it. The broker's side of it is faked: what the page
// shows is a matter of what the board has heard.

import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Console, startConsole } from '../../../broker/admin/console.ts'
import { memoryNetwork } from '../../../protocol/runtime/memoryNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { silentLogger } from '../../../protocol/telemetry/logger.ts'
import type { JobStatus } from '../../../protocol/telemetry/status.ts'
import { hasTool } from '../../tools.ts'

const runtime = nodeRuntime(memoryNetwork())
const nowhere = { host: 'nowhere', port: 1 }
let page: Console

const start = (host: string, port = 0) =>
  startConsole({
    runtime,
    logger: silentLogger,
    address: { host, port },
    bootstrap: [nowhere],
    topics: () => [],
    metrics: async () => 'millrace_up 1\n',
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
      title: 'Orders by <age>',
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
    expect(html.headers.get('content-security-policy')).toContain("script-src 'self' 'sha256-")
    expect(await html.text()).toContain('<title>Millrace</title>')
    for (const path of ['page/page.js', 'vendor/preact/preact.mjs', 'vendor/uplot/uPlot.esm.js']) {
      expect((await fetch(page.url + path)).status, path).toBe(200)
    }
    page.board.hear(status([['3', 40]]), runtime.clock.nowMs())
    const picture = (await (await fetch(`${page.url}api/v1/status`)).json()) as { jobs: unknown[] }
    expect(picture.jobs).toMatchObject([{ name: 'demo', recordsTotal: 12_345 }])
    expect(await (await fetch(`${page.url}metrics`)).text()).toBe('millrace_up 1\n')
  })

  test('gives nothing outside its own folders', async () => {
    for (const path of ['page/..%2fconsole.ts', 'vendor/preact/..%2f..%2fpackage.json', 'x']) {
      expect((await fetch(page.url + path)).status, path).toBeGreaterThanOrEqual(400)
    }
  })

  test('answers no browser that calls it by another name', async () => {
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

describe('mistakes', () => {
  test('an address that others can reach is refused', async () => {
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

  for (const width of [1280, 1920]) {
    test(`shows the right numbers at ${width} pixels, and nothing overlaps or runs out`, async () => {
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
      await tab.getByText('live', { exact: true }).waitFor()
      const bars = tab.locator('article', { hasText: 'Orders by <age>' })
      expect(await bars.locator('.bars').textContent()).toMatch(
        /not given\s*11%\s*25–29\s*4040%\s*4\s*5959%/,
      )
      expect(await tab.getByText('12,345 records counted').count()).toBe(1)
      await tab.locator('.uplot canvas').first().waitFor()
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await overlapping(tab)).toEqual([])
    })
  }

  test('follows what is heard without a reload', async () => {
    await tab.goto(page.url)
    page.board.hear(status([['3', 1_000]]), runtime.clock.nowMs())
    await tab.locator('.bars', { hasText: '1,000' }).waitFor()
    page.board.hear({ ...status([['3', 2_500]]), timeMs: 2_000 }, runtime.clock.nowMs())
    await tab.locator('.bars', { hasText: '2,500' }).waitFor()
  })
})

/** Pairs of boxes on the page that cover one another. */
async function overlapping(tab: Page): Promise<string[]> {
  const boxes = await tab.locator('article, .figure, .node').evaluateAll((elements) =>
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
