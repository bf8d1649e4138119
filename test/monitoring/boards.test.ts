// The boards of Grafana: Prometheus accepts every query, the series in a query exist, and every
// panel of the tables is on a board.

import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { boardOf, boardSpecs } from '../generated/boards.ts'
import { allMetrics } from '../generated/metricTables.ts'
import { filtered, metricOfSeries, seriesIn } from '../generated/promql.ts'
import { hasPromtool } from '../protocol/telemetry/promtool.ts'
import { boardQueries, filledIn, type Panel } from './boardQueries.ts'

const boards = boardSpecs.map((spec) => [spec.title, spec, boardOf(spec)] as const)
const panelsOf = (board: ReturnType<typeof boardOf>) => board.panels as Panel[]

describe.each(boards)('%s', (_, spec, board) => {
  test('queries only series that exist', () => {
    const asked = boardQueries(board).flatMap((query) => seriesIn(query))
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.filter((series) => metricOfSeries(series) === undefined)).toEqual([])
    for (const series of Object.values(spec.variables)) {
      expect(metricOfSeries(series), series).toBeDefined()
    }
  })

  test('has panels that do not overlap, each with an id, a unit and a legend', () => {
    const panels = panelsOf(board)
    const ids = panels.map(({ id }) => id)
    expect(ids).toEqual([...new Set(ids)])
    const cells = new Set<string>()
    for (const { gridPos } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x}/${y}`)).toBe(false)
          cells.add(`${x}/${y}`)
        }
      }
    }
    for (const panel of panels.filter(({ type }) => type === 'timeseries')) {
      expect(panel.fieldConfig?.defaults.unit).toMatch(/^[a-zA-Z]+$/)
      expect(panel.targets?.every(({ legendFormat }) => legendFormat !== '')).toBe(true)
    }
  })

  test('has no row without panels', () => {
    const types = panelsOf(board).map(({ type }) => type)
    const empty = types.filter((type, at) => type === 'row' && types[at + 1] !== 'timeseries')
    expect(empty).toEqual([])
  })
})

test('every panel of the tables is on a board', () => {
  const titles = new Set(boards.flatMap(([, , board]) => panelsOf(board).map(({ title }) => title)))
  const panels = allMetrics.flatMap(({ panels: own = [] }) => own)
  expect(panels.filter(({ title }) => !titles.has(title))).toEqual([])
  expect(panels.length).toBeGreaterThan(50)
})

test('labels of a query are kept beside the labels that a user selects', () => {
  expect(
    filtered('rate(millrace_broker_request_latency_seconds_bucket{api="Produce"}[5m]) / up', [
      'instance',
      'topic',
    ]),
  ).toBe(
    'rate(millrace_broker_request_latency_seconds_bucket{instance=~"$instance",api="Produce"}[5m]) / up',
  )
})

test.skipIf(!hasPromtool)('Prometheus accepts every query', async () => {
  const rules = boards
    .flatMap(([, , board]) => boardQueries(board))
    .map((query, at) => {
      return { record: `query:${at}`, expr: filledIn(query) }
    })
  const directory = await mkdtemp(join(tmpdir(), 'millrace-boards-'))
  try {
    const file = join(directory, 'queries.yml')
    await writeFile(file, stringify({ groups: [{ name: 'queries', rules }] }))
    const said = execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
    expect(said).toContain(`SUCCESS: ${rules.length} rules found`)
  } finally {
    await rm(directory, { recursive: true })
  }
})
