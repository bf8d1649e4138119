// The alert rules: Prometheus accepts them, each fires when it should and only then, and tells the
// operator what to do.

import { execFileSync } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { allAlerts } from '../generated/alertRules.ts'
import { metricOfSeries, seriesIn } from '../generated/promql.ts'
import { hasPromtool } from '../protocol/telemetry/promtool.ts'
import { alertCases } from './alertCases.ts'

const documents = join(import.meta.dirname, '../../docs/monitoring')
const names = allAlerts.map(({ alert }) => alert.name)

function promtool(...words: string[]): string {
  return execFileSync('promtool', words, { encoding: 'utf8', stdio: 'pipe' })
}

describe('every alert', () => {
  test('has a unique name, and cases in which it fires and does not fire', () => {
    expect(names).toEqual([...new Set(names)])
    expect(Object.keys(alertCases).sort()).toEqual([...names].sort())
  })

  test('queries only series that exist', () => {
    const unknown = allAlerts.flatMap(({ alert, expression }) =>
      seriesIn(expression)
        .filter((series) => metricOfSeries(series) === undefined)
        .map((series) => `${alert.name}: ${series}`),
    )
    expect(unknown).toEqual([])
  })

  test('has texts about the failure and the remedy', () => {
    for (const { alert } of allAlerts) {
      expect(alert.summary, alert.name).toMatch(/^[A-Z{0-9].*\.$|\)\.$/)
      expect(alert.action, alert.name).toMatch(/\.$/)
    }
  })
})

describe.skipIf(!hasPromtool)('in Prometheus', () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-alerts-'))
    await copyFile(join(documents, 'alerts.yml'), join(directory, 'alerts.yml'))
  })

  afterAll(async () => {
    await rm(directory, { recursive: true })
  })

  test('the rules and the example configuration are valid', () => {
    expect(promtool('check', 'rules', join(documents, 'alerts.yml'))).toContain(
      `SUCCESS: ${allAlerts.length} rules found`,
    )
    expect(promtool('check', 'config', join(documents, 'prometheus.yml'))).toContain('is valid')
  })

  test('each rule fires when it should, and only then', async () => {
    const cases = Object.entries(alertCases).flatMap(([name, each]) => {
      const { fires, quiet, alsoFires = [], alsoQuiet = [] } = each
      return [
        ...[fires, ...alsoFires].map((series, at) => {
          return { name, target: `${name}-fires-${at}`, series, isFiring: true }
        }),
        ...[quiet, ...alsoQuiet].map((series, at) => {
          return { name, target: `${name}-quiet-${at}`, series, isFiring: false }
        }),
      ]
    })
    // All cases are in one test of promtool, because each test evaluates all rules.
    const input = cases.flatMap(({ target, series }) =>
      Object.entries(series).map(([named, values]) => {
        return { series: named.replaceAll('@', target), values }
      }),
    )
    const questions = cases.map(({ name, target, isFiring }) => {
      const firing = (matcher: string) =>
        `ALERTS{alertname="${name}",alertstate="firing",${matcher}}`
      const expr = `count by (alertname) (${firing(`instance=~"${target}(-.)?"`)} or ${firing(`job="millrace-${target}"`)})`
      const exp_samples = isFiring ? [{ labels: `{alertname="${name}"}`, value: 1 }] : []
      return { expr, eval_time: '60m', exp_samples }
    })
    const tests = [{ interval: '1m', input_series: input, promql_expr_test: questions }]
    const file = join(directory, 'alerts.test.yml')
    await writeFile(
      file,
      stringify({ rule_files: ['alerts.yml'], evaluation_interval: '1m', tests }),
    )
    expect(promtool('test', 'rules', file)).toContain('SUCCESS')
  }, 60_000)

  test('the templates in the texts of the alerts are valid', async () => {
    // Prometheus replaces a template that fails by "error expanding".
    const series = [
      ...new Set(Object.values(alertCases).flatMap(({ fires }) => Object.entries(fires))),
    ]
    expect(series.length).toBeGreaterThan(40)
    const texts = allAlerts.flatMap(({ alert }) => [alert.summary, alert.action])
    const functions = texts.flatMap((text) => text.match(/\{\{[^}]*\}\}/g) ?? [])
    const known =
      /^\{\{ (?:\$labels\.[a-z_]+|\$value(?: \| (?:humanize|humanizePercentage|humanizeDuration|humanize1024))?) \}\}$/
    expect(functions.filter((text) => !known.test(text))).toEqual([])
  })
})
