import { describe, expect, test } from 'vitest'
import { brokerMetrics } from '../../../broker/metrics/brokerMetrics.ts'
import { breaches } from '../../protocol/telemetry/namingRules.ts'

describe('the table of the metrics of a broker', () => {
  test('rows keep to the rules of names and helps', () => {
    expect(brokerMetrics.flatMap(breaches)).toEqual([])
  })

  test('no name is in it twice', () => {
    const names = brokerMetrics.map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  test('a label means the same in every row', () => {
    const known = new Set([
      ...['api', 'budget', 'consumergroup', 'directory', 'error', 'kind', 'limit', 'listener'],
      ...['of', 'outcome', 'partition', 'phase', 'protocol', 'reason', 'state', 'topic'],
      ...['id', 'address'],
    ])
    const labels = new Set(brokerMetrics.flatMap(({ labels = [] }) => labels))
    expect([...labels].filter((label) => !known.has(label))).toEqual([])
  })
})
