import { describe, expect, test } from 'vitest'
import { brokerMetrics } from '../../../broker/metrics/brokerMetrics.ts'
import { breaches } from '../../protocol/telemetry/namingRules.ts'

describe('the table of the metrics of a broker', () => {
  test('rows follow the conventions for names and help texts', () => {
    expect(brokerMetrics.flatMap(breaches)).toEqual([])
  })

  test('has no duplicate name', () => {
    const names = brokerMetrics.map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  test('a label has the same meaning in every row', () => {
    const known = new Set([
      ...['api', 'budget', 'consumergroup', 'directory', 'error', 'kind', 'limit', 'listener'],
      ...['of', 'outcome', 'partition', 'phase', 'protocol', 'reason', 'state', 'topic'],
      ...['id', 'address', 'coordinator', 'delayedoperation'],
    ])
    const labels = new Set(brokerMetrics.flatMap(({ labels = [] }) => labels))
    expect([...labels].filter((label) => !known.has(label))).toEqual([])
  })
})
