// docs/logs-and-health.md has every code with its text in the table of its program, and no others.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { agentReasons } from '../agent/agentReasons.ts'
import { adminReasons } from '../broker/admin/adminReasons.ts'
import { brokerReasons } from '../broker/brokerReasons.ts'
import { jobReasons } from '../engine/process/jobReasons.ts'
import { longNames } from '../protocol/commandLine/commandOptions.ts'
import { logOutputOptions } from '../protocol/commandLine/loggingOptions.ts'
import type { ReasonTable } from '../protocol/operations/health.ts'

const page = await readFile(join(import.meta.dirname, '../docs/logs-and-health.md'), 'utf8')

/** Returns the text below a heading, up to the next heading. */
function section(heading: string): string {
  const [, after = ''] = page.split(`\n### ${heading}\n`)
  return after.split(/\n##/)[0]!
}

test.each<[string, ReasonTable]>([
  ['Broker', brokerReasons],
  ['Admin', adminReasons],
  ['Agent', agentReasons],
  ['Job', jobReasons],
])('the page has the codes of %s', (heading, table) => {
  const rows = section(heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  const expected = Object.entries(table).map(
    ([code, { kind, meaning }]) => `| \`${code}\` | ${kind} | ${meaning} |`,
  )
  expect(rows).toEqual(expected)
})

test('the page has every option of the log', () => {
  for (const name of longNames(logOutputOptions)) expect(page).toContain(`\`--${name} `)
})
