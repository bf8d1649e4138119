import { Registry, register } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { latencyBucketsSeconds, Metrics } from '../../../protocol/telemetry/metrics.ts'

describe('Metrics', () => {
  it('exposes counters, gauges and histograms in text', async () => {
    const metrics = new Metrics()
    metrics
      .counter({ name: 'a_total', help: 'A', labels: ['topic'] })
      .labels({ topic: 't' })
      .inc(3)
    metrics.gauge({ name: 'b', help: 'B' }).set(5)
    metrics
      .histogram({ name: 'c_seconds', help: 'C', buckets: latencyBucketsSeconds })
      .observe(0.002)
    const text = await metrics.expose()
    expect(text).toContain('# TYPE a_total counter\na_total{topic="t"} 3')
    expect(text).toContain('b 5')
    expect(text).toContain('c_seconds_bucket{le="0.001"} 0')
    expect(text).toContain('c_seconds_bucket{le="0.0025"} 1')
    expect(metrics.contentType).toContain('text/plain')
  })

  it('gives the same metric to all who ask, and refuses another kind under its name', async () => {
    const metrics = new Metrics()
    metrics.counter({ name: 'a_total', help: 'A' }).inc()
    metrics.counter({ name: 'a_total', help: 'A' }).inc()
    expect(await metrics.expose()).toContain('a_total 2')
    expect(() => metrics.gauge({ name: 'a_total', help: 'A' })).toThrow('another kind')
  })

  it('keeps to its own registry', async () => {
    const registry = new Registry()
    new Metrics(registry).counter({ name: 'mine_total', help: 'M' }).inc()
    expect(await registry.metrics()).toContain('mine_total 1')
    expect(await new Metrics().expose()).not.toContain('mine_total')
    expect(register.getSingleMetric('mine_total')).toBeUndefined()
  })

  it('reads what is to be read before each exposition, until told not to', async () => {
    const metrics = new Metrics()
    const gauge = metrics.gauge({ name: 'length', help: 'L' })
    let length = 1
    const forget = metrics.onExpose(() => gauge.set(length))
    expect(await metrics.expose()).toContain('length 1')
    length = 2
    expect(await metrics.expose()).toContain('length 2')
    forget()
    length = 3
    expect(await metrics.expose()).toContain('length 2')
  })
})
