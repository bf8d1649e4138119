import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { modelRows, models } from './modelRuns.ts'

const all = Object.entries(models)

function sequencesOf(...areas: readonly string[]): number {
  const chosen = all.filter(([, { of }]) => areas.length === 0 || areas.includes(of))
  return chosen.reduce((sum, [, { sequences }]) => sum + sequences, 0)
}

test('the broker is run against its models often enough', () => {
  expect(sequencesOf('log')).toBeGreaterThanOrEqual(3000)
  expect(sequencesOf('groups')).toBeGreaterThanOrEqual(3000)
  expect(sequencesOf('transactions')).toBeGreaterThanOrEqual(3000)
  expect(sequencesOf()).toBeGreaterThanOrEqual(10_000)
})

test.each(all)('%s is run as often as the table says', async (name, { file }) => {
  const text = await readFile(join(import.meta.dirname, 'broker', file), 'utf8')
  expect(text).toContain(`models.${name}`)
})

test('the page of how things are tested shows the same table', async () => {
  const page = await readFile(join(import.meta.dirname, '../docs/testing.md'), 'utf8')
  const rows = page.split('\n').filter((line) => /^\| \w+ \| \d+ \| /.test(line))
  expect(rows).toEqual(modelRows())
  expect(page).toContain(`${sequencesOf()} command sequences`)
})
