import { Registry, register } from 'prom-client'
import { describe, expect, it } from 'vitest'
import {
  Distribution,
  labelText,
  latencyBucketsSeconds,
  Metrics,
  type SampleWriter,
} from '../../../../protocol/telemetry/metrics/metrics.ts'

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

  it('returns the same metric to every caller, and refuses another type under its name', async () => {
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

  it('calls readers before each exposition, until they are removed', async () => {
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

  describe('collected families', () => {
    const spec = { name: 'a_bytes', type: 'gauge', help: 'Bytes of an a.', labels: ['b'] } as const

    it('are read at each exposition, and absent after they were removed', async () => {
      const metrics = new Metrics()
      let value = 1
      const end = metrics.collected(spec, (sample) => sample(labelText({ b: 'x' }), value))
      expect(await metrics.expose()).toContain('# TYPE a_bytes gauge\na_bytes{b="x"} 1\n')
      value = 2.5
      expect(await metrics.expose()).toContain('a_bytes{b="x"} 2.5\n')
      end()
      expect(await metrics.expose()).not.toContain('a_bytes')
    })

    it('cannot be registered twice under a name', () => {
      const metrics = new Metrics()
      const end = metrics.collected(spec, () => {})
      expect(() => metrics.collected(spec, () => {})).toThrow('already registered')
      expect(() => metrics.gauge(spec)).toThrow('already registered')
      end()
      metrics.gauge(spec)
      expect(() => metrics.collected(spec, () => {})).toThrow('already registered')
    })

    it('escape labels and help texts, and format numbers as the text format requires', async () => {
      const metrics = new Metrics()
      metrics.collected({ ...spec, help: 'A\\B\nC.' }, (sample) => {
        sample(labelText({ b: '"\\\n\ud800 é' }), Infinity)
        sample(labelText({ b: '' }), -Infinity)
        sample('', Number.NaN)
        sample(labelText({ b: 'x', c: 3 }), 1e21)
      })
      expect(await metrics.expose()).toBe(
        [
          '# HELP a_bytes A\\\\B\\nC.',
          '# TYPE a_bytes gauge',
          'a_bytes{b="\\"\\\\\\n\ufffd é"} +Inf',
          'a_bytes{b=""} -Inf',
          'a_bytes NaN',
          'a_bytes{b="x",c="3"} 1e+21',
          '',
        ].join('\n'),
      )
    })

    it('cumulate the buckets of a histogram', async () => {
      const metrics = new Metrics()
      const distribution = new Distribution([1, 2.5])
      for (const value of [0.5, 1, 2, 3, 4]) distribution.observe(value)
      const histogram = { name: 'c_seconds', type: 'histogram', help: 'C.', labels: ['d'] } as const
      metrics.collectedHistogram(histogram, (write) => write('{d="x"}', distribution))
      expect((await metrics.expose()).split('\n').slice(2)).toEqual([
        'c_seconds_bucket{d="x",le="1"} 2',
        'c_seconds_bucket{d="x",le="2.5"} 3',
        'c_seconds_bucket{d="x",le="+Inf"} 5',
        'c_seconds_sum{d="x"} 10.5',
        'c_seconds_count{d="x"} 5',
        '',
      ])
    })

    it('yield between families, but not within one', async () => {
      const turns: string[] = []
      const metrics = new Metrics(undefined, { nextTurn: async () => void turns.push('turn') })
      const many = (sample: SampleWriter) => {
        for (let index = 0; index < 6000; index++) sample('', index)
      }
      for (const name of ['a', 'b', 'c']) {
        metrics.collected({ ...spec, name }, (sample) => {
          turns.push(name)
          many(sample)
        })
      }
      const text = await metrics.expose()
      expect(turns).toEqual(['a', 'turn', 'b', 'turn', 'c', 'turn'])
      expect(text.split('\n').length).toBe(3 * 6002 + 1)
    })

    it('leave out a family that was removed during the exposition', async () => {
      const ends: (() => void)[] = []
      const metrics = new Metrics(undefined, { nextTurn: async () => ends.pop()?.() })
      metrics.collected({ ...spec, name: 'a' }, (sample) => {
        for (let index = 0; index < 6000; index++) sample('', index)
      })
      ends.push(metrics.collected({ ...spec, name: 'b' }, (sample) => sample('', 1)))
      expect(await metrics.expose()).not.toContain('# TYPE b ')
    })

    it('are read once for concurrent callers', async () => {
      let reads = 0
      const metrics = new Metrics()
      metrics.collected(spec, () => reads++)
      const [first, second] = await Promise.all([metrics.expose(), metrics.expose()])
      expect(first).toBe(second)
      expect(reads).toBe(1)
    })
  })
})
