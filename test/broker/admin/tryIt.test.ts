// The page at /api in a browser, under its content security policy: all requests go to the server
// itself, nothing is blocked, and a route can be called. The document that it shows is valid
// OpenAPI.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { expect, test } from 'vitest'
import { startConsole } from '../../../broker/admin/console.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { plainOperations } from '../../protocol/operations/plainOperations.ts'
import { debianPython, hasTool, pythonEnvironment } from '../../tools.ts'

test.runIf(hasTool('chromium'))(
  'shows the API and can call it, without requests to other servers',
  async () => {
    const page = await startConsole({
      ...{ runtime: nodeRuntime(memoryNetwork()), logger: silentLogger, topics: () => [] },
      address: { host: '127.0.0.1', port: 0 },
      bootstrap: [{ host: 'nowhere', port: 1 }],
      operations: plainOperations,
    })
    const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args })
    try {
      const tab = await browser.newPage()
      const problems: string[] = []
      const elsewhere: string[] = []
      tab.on('pageerror', (error) => problems.push(error.message))
      tab.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text())
      })
      tab.on('request', (request) => {
        const url = request.url()
        if (!url.startsWith(page.url) && !url.startsWith('data:')) elsewhere.push(url)
      })
      await tab.setViewportSize({ width: 1280, height: 1000 })
      await tab.goto(`${page.url}api`)
      await tab.getByText('Millrace admin REST API').first().waitFor()
      expect(await tab.title()).toBe('Millrace admin REST API')
      const agents = tab.locator('#operations-Agents_and_jobs-listAgents')
      await agents.locator('.opblock-summary-control').click()
      await agents.getByRole('button', { name: 'Execute' }).click()
      await agents
        .locator('.live-responses-table .response-col_status', { hasText: '200' })
        .waitFor()
      await agents.locator('.live-responses-table', { hasText: 'AgentList' }).waitFor()
      if (process.env.SCREENSHOT !== undefined) {
        await tab.screenshot({ path: process.env.SCREENSHOT })
      }
      expect(problems).toEqual([])
      expect(elsewhere).toEqual([])
      const { headers } = await fetch(`${page.url}api`)
      const policy = headers.get('content-security-policy')!
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';")
      const own = (await fetch(page.url)).headers.get('content-security-policy')!
      expect(own).not.toContain('unsafe-inline')
    } finally {
      await browser.close()
      await page.close()
    }
  },
  60_000,
)

test.runIf(hasTool('openapi-spec-validator'))(
  'the document is valid OpenAPI',
  () => {
    const file = join(import.meta.dirname, '../../../docs/openapi.json')
    const { status, stdout, stderr } = spawnSync(
      debianPython,
      ['-m', 'openapi_spec_validator', file],
      { env: pythonEnvironment('openapi-spec-validator'), encoding: 'utf8' },
    )
    expect(status, stdout + stderr).toBe(0)
  },
  60_000,
)
