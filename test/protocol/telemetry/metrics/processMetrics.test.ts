import { afterEach, describe, expect, test } from 'vitest'
import {
  type ProcessFigures,
  processFigures,
} from '../../../../protocol/runtime/process/processFigures.ts'
import { Metrics } from '../../../../protocol/telemetry/metrics/metrics.ts'
import {
  exposeProcess,
  processMetrics,
} from '../../../../protocol/telemetry/metrics/processMetrics.ts'
import { familiesOf } from '../families.ts'
import { breaches } from '../namingRules.ts'
import { checkMetrics, hasPromtool } from '../promtool.ts'

const build = { version: '1.2.3', commit: 'abc' }
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

function exposed(figures: ProcessFigures = processFigures()): Metrics {
  const metrics = new Metrics()
  ends.push(exposeProcess(metrics, { program: 'broker', build, figures }))
  return metrics
}

describe('metrics of the process', () => {
  test('rows follow the conventions', () => {
    expect(Object.values(processMetrics).flatMap(breaches)).toEqual([])
  })

  test('every row is exposed, and nothing else', async () => {
    const families = familiesOf(await exposed().expose())
    expect([...families.keys()].sort()).toEqual(
      Object.values(processMetrics)
        .map(({ name }) => name)
        .sort(),
    )
  })

  test('figures are those of this process', async () => {
    const families = familiesOf(await exposed().expose())
    const value = (name: string) => families.get(name)!.samples.get('')!
    expect(families.get('millrace_build_info')!.samples).toEqual(
      new Map([['{program="broker",version="1.2.3",commit="abc"}', 1]]),
    )
    const { cpu, cpuUser, cpuSystem, resident, heapUsed, heapTotal, heapLimit } = processMetrics
    expect(value(cpu.name)).toBeGreaterThanOrEqual(value(cpuUser.name))
    expect(value(cpuSystem.name)).toBeGreaterThan(0)
    expect(value(resident.name)).toBeGreaterThan(1e7)
    expect(value(heapUsed.name)).toBeLessThanOrEqual(value(heapTotal.name))
    expect(value(heapTotal.name)).toBeLessThan(value(heapLimit.name))
    expect(value('process_open_fds')).toBeGreaterThan(3)
    expect(value('process_max_fds')).toBeGreaterThanOrEqual(value('process_open_fds'))
    const startedAgoSeconds = Date.now() / 1000 - value('process_start_time_seconds')
    expect(startedAgoSeconds).toBeGreaterThan(0)
    expect(startedAgoSeconds).toBeLessThan(3600)
    expect(value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(
      value('nodejs_eventloop_lag_p50_seconds'),
    )
  })

  test('figures are read at each exposition, and unknown figures have no sample', async () => {
    const { figures, collected } = plainFigures()
    const metrics = exposed(figures)
    collected('minor', 0.002)
    collected('major', 0.02)
    const text = await metrics.expose()
    expect(text).toContain('process_cpu_seconds_total 3\n')
    expect(text).toContain(
      'nodejs_version_info{version="v24.1.2",major="24",minor="1",patch="2"} 1\n',
    )
    expect(text).toContain('nodejs_gc_duration_seconds_count{kind="minor"} 1\n')
    expect(text).toContain('nodejs_gc_duration_seconds_bucket{kind="major",le="0.1"} 1\n')
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds 0.5\n')
    expect(familiesOf(text).get('process_open_fds')!.samples.size).toBe(0)
  })

  test('are removed, with their observers, when they end', async () => {
    const { figures, isClosed } = plainFigures()
    const metrics = new Metrics()
    const end = exposeProcess(metrics, { program: 'broker', build, figures })
    end()
    expect(await metrics.expose()).toBe('')
    expect(isClosed()).toBe(true)
  })

  test.runIf(hasPromtool)('promtool accepts them', async () => {
    expect(checkMetrics(await exposed().expose())).toBe('')
  })
})

/** The figures of a system that reports few of them. */
function plainFigures() {
  const listeners: Parameters<ProcessFigures['onCollection']>[0][] = []
  let closed = false
  const figures: ProcessFigures = {
    nodeVersion: 'v24.1.2',
    startSeconds: 5,
    cpu: () => ({ userSeconds: 1, systemSeconds: 2 }),
    residentBytes: () => 10,
    heap: () => ({ totalBytes: 3, usedBytes: 2, limitBytes: 4, externalBytes: 1 }),
    openFiles: () => undefined,
    maxOpenFiles: () => undefined,
    loopActiveSeconds: () => 1,
    loopDelay: () => ({ p50Seconds: 0, p99Seconds: 0.5, maxSeconds: 1 }),
    onCollection(listener) {
      listeners.push(listener)
      return () => listeners.splice(0)
    },
    close() {
      closed = true
    },
  }
  const collected: (typeof listeners)[0] = (kind, seconds) => {
    for (const listener of listeners) listener(kind, seconds)
  }
  return { figures, collected, isClosed: () => closed }
}
