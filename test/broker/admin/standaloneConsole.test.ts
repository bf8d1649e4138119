// The console of a standalone broker with 1,000 topics, three agents and two jobs, and of an empty
// one, in a browser: three widths, both themes.

import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasTool } from '../../tools.ts'
import { StandaloneConsole } from './standaloneConsole.ts'

const busy = { topics: 1_000, used: 120, agents: true, jobs: true }
const empty = { topics: 0, used: 0, agents: false, jobs: false }
const views = [360, 800, 1440].flatMap((width) =>
  (['light', 'dark'] as const).map((theme) => ({ width, theme })),
)
/** Minimum contrast of text and its background, from WCAG 2. */
const leastContrast = 4.5

describe.runIf(hasTool('chromium'))('the console of a standalone broker', () => {
  let browser: Browser
  let full: StandaloneConsole
  let bare: StandaloneConsole

  beforeAll(async () => {
    const args = ['--no-sandbox', '--disable-gpu', '--no-first-run']
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args })
    full = await StandaloneConsole.start(busy)
    await full.seconds(15)
    bare = await StandaloneConsole.start(empty)
    await bare.seconds(2)
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await full?.close()
    await bare?.close()
  })

  test('the picture has every agent and job, and counts all topics', () => {
    const { agents, jobs, topics, topicsTotal } = full.console.board.picture
    expect([agents.length, jobs.length, topicsTotal]).toEqual([3, 2, 1_000])
    expect(topics.filter(({ quiet }) => !quiet)).toHaveLength(120)
  })

  test.each(views)('busy, $width pixels, $theme', async ({ width, theme }) => {
    await opened(full, { width, theme }, async (tab) => {
      await tab.getByText('NOT WELL: 1 problem').waitFor()
      await tab.getByText('112 more topics in use').waitFor()
      await tab.getByText('880 quiet topics').waitFor()
      expect(await tab.locator('.node').filter({ visible: true }).count()).toBe(3 + 8 + 2)
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
      // On a phone the page has one column.
      const longest = width < 700 ? 4_500 : 2_700
      expect(await tab.evaluate('document.documentElement.scrollHeight')).toBeLessThan(longest)
      expect(await faint(tab)).toEqual([])
      await tab.getByText('880 quiet topics').click()
      await tab.getByText('112 more topics in use').click()
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
    })
  })

  test.each(views)('empty, $width pixels, $theme: what to do next', async ({ width, theme }) => {
    await opened(bare, { width, theme }, async (tab) => {
      await tab.getByText('All is well').waitFor()
      for (const command of ['kcat -b', 'millrace agent', 'millrace job submit', 'millrace demo']) {
        await tab.locator('code', { hasText: command }).waitFor()
      }
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await faint(tab)).toEqual([])
    })
  })

  test('shows its build, and has links to the other pages of the server, also by keyboard', async () => {
    await opened(bare, { width: 1440, theme: 'light' }, async (tab) => {
      await tab.getByText(/^Millrace \d.* on Node \d+\.\d+\.\d+, started \d{4}-/).waitFor()
      const paths: (string | null)[] = []
      for (let links = await tab.locator('footer a').count(); links > 0; links--) {
        await tab.keyboard.press('Tab')
        const focused = tab.locator('footer a:focus-visible')
        paths.push(await focused.getAttribute('href'))
      }
      expect(paths).toEqual(['/api', '/openapi.json', '/metrics', '/healthy', '/ready'])
      for (const path of ['metrics', 'healthy', 'ready']) {
        expect((await fetch(bare.console.url + path)).status, path).toBe(200)
      }
    })
  })

  async function opened(
    { console: { url } }: StandaloneConsole,
    { width, theme }: { width: number; theme: 'light' | 'dark' },
    look: (tab: Page) => Promise<void>,
  ): Promise<void> {
    const context = await browser.newContext({
      colorScheme: theme,
      viewport: { width, height: 900 },
      reducedMotion: 'reduce',
    })
    try {
      const tab = await context.newPage()
      const problems: string[] = []
      tab.on('pageerror', (error) => problems.push(error.message))
      await tab.goto(url)
      await tab.locator('.verdict').waitFor()
      await look(tab)
      expect(problems).toEqual([])
    } finally {
      await context.close()
    }
  }
})

/** Returns the texts with too little contrast to their background. */
async function faint(tab: Page): Promise<string[]> {
  const found = (await tab.evaluate(contrasts)) as { text: string; contrast: number }[]
  expect(found.length).toBeGreaterThan(5)
  return found
    .filter(({ contrast }) => contrast < leastContrast)
    .map(({ text, contrast }) => `${contrast.toFixed(2)}: ${text}`)
}

/** Script for the browser: returns the contrast of every element that directly contains text. */
const contrasts = `(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number)
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    if (element === null) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(element)
    return channels(backgroundColor)[3] === 0 ? behind(element.parentElement) : backgroundColor
  }
  const hasText = ({ childNodes }) =>
    [...childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '')
  return [...document.querySelectorAll('body *')].filter(hasText).map((element) => {
    const a = luminance(getComputedStyle(element).color)
    const b = luminance(behind(element))
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    return { text: element.textContent.slice(0, 40), contrast }
  })
})()`
