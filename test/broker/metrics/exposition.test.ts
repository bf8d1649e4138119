// The metrics of a broker with some activity of every kind: exactly those of the table are exposed.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { brokerMetrics } from '../../../broker/metrics/brokerMetrics.ts'
import { familiesOf } from '../../protocol/telemetry/families.ts'
import { checkMetrics, hasPromtool } from '../../protocol/telemetry/promtool.ts'
import { BusyBroker } from './busyBroker.ts'

let busy: BusyBroker

beforeEach(async () => {
  busy = await BusyBroker.start()
})

afterEach(() => busy.stop())

describe('the metrics of a broker', () => {
  test('exposes exactly the families of the table', async () => {
    await busy.doEverything()
    const families = familiesOf(await busy.broker.metrics.expose())
    expect([...families.keys()].sort()).toEqual(brokerMetrics.map(({ name }) => name).sort())
    for (const { name, help, type, labels = [] } of brokerMetrics) {
      const family = families.get(name)!
      expect(family.help).toBe(help)
      expect(family.type).toBe(type)
      expect(family.samples.size, `samples of ${name}`).toBeGreaterThan(0)
      for (const key of family.samples.keys()) {
        const names = [...key.matchAll(/[{,]([a-z_]+)="/g)].map((match) => match[1]!)
        expect(
          names.filter((label) => label !== 'le'),
          name,
        ).toEqual(labels)
      }
    }
  })

  test.runIf(hasPromtool)('promtool accepts them', async () => {
    await busy.doEverything()
    const findings = checkMetrics(await busy.broker.metrics.expose()).split('\n')
    // The names of Kafka's exporters are kept, although promtool complains about some.
    expect(findings.filter((line) => line !== '' && !line.startsWith('kafka_'))).toEqual([])
  })

  test('counters never decrease', async () => {
    await busy.doEverything()
    const before = familiesOf(await busy.broker.metrics.expose())
    await busy.doEverything()
    const after = familiesOf(await busy.broker.metrics.expose())
    for (const { name, type } of brokerMetrics) {
      if (type === 'gauge') continue
      for (const [labels, value] of before.get(name)!.samples) {
        expect(after.get(name)!.samples.get(labels), name + labels).toBeGreaterThanOrEqual(value)
      }
    }
  })

  test('are removed when the broker closes, and back after the next start', async () => {
    const { metrics } = busy.broker
    await busy.broker.broker.close()
    expect(await metrics.expose()).toBe('')
    await busy.broker.start()
    expect(await busy.broker.metrics.expose()).toContain('kafka_brokers 1\n')
  })
})
