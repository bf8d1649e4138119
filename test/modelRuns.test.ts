import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { modelRows, models } from './modelRuns.ts'

const all = Object.entries(models)

function sequencesOf(...areas: readonly string[]): number {
  const chosen = all.filter(([, { of }]) => areas.length === 0 || areas.includes(of))
  return chosen.reduce((sum, [, { sequences }]) => sum + sequences, 0)
}

test('enough command sequences run against the models of the broker', () => {
  expect(sequencesOf('log')).toBeGreaterThanOrEqual(3000)
  expect(sequencesOf('groups')).toBeGreaterThanOrEqual(3000)
  expect(sequencesOf('transactions')).toBeGreaterThanOrEqual(3000)
  expect(sequencesOf()).toBeGreaterThanOrEqual(10_000)
})

test.each(all)('%s takes its number of sequences from the table', async (name, { file }) => {
  const text = await readFile(join(import.meta.dirname, 'broker', file), 'utf8')
  expect(text).toContain(`models.${name}`)
})

test('docs/testing.md has the same table', async () => {
  const page = await readFile(join(import.meta.dirname, '../docs/testing.md'), 'utf8')
  const rows = page.split('\n').filter((line) => /^\| \w+ \| \d+ \| /.test(line))
  expect(rows).toEqual(modelRows())
  expect(page).toContain(`${sequencesOf()} command sequences`)
})
