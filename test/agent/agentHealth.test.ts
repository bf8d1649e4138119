// The health of an agent: which component fails and since when, and which channel is full.

import { beforeEach, describe, expect, test } from 'vitest'
import { agentTroubles, type HealthSources } from '../../agent/agentHealth.ts'
import type { AgentReason } from '../../agent/agentReasons.ts'
import type { Channel } from '../../agent/channels/channel.ts'
import { ComponentWatch } from '../../agent/componentWatch.ts'
import type { Polled } from '../../agent/polled.ts'
import { ManualClock } from '../../protocol/runtime/time/manualClock.ts'

let clock: ManualClock
let watch: ComponentWatch

beforeEach(() => {
  clock = new ManualClock()
  watch = new ComponentWatch(clock, 'sink k1')
})

function component(...troubles: AgentReason[]): Polled {
  return {
    start: async () => {},
    process: async () => 0,
    stop: async () => {},
    troubles: () => troubles,
  }
}

function channel(size: number, capacity = 100): Channel {
  return { name: 'c1', size, capacity } as Channel
}

function troubles(sources: Partial<HealthSources> = {}): readonly AgentReason[] {
  return agentTroubles({
    ...{ watches: () => [watch], channels: [], isStopping: () => false, failure: () => undefined },
    ...sources,
  })
}

describe('a component', () => {
  test('that fails reports since when, how often, and the newest error, until it works', () => {
    watch.begins(component())
    expect(troubles()).toEqual([])
    const sinceMs = clock.nowMs()
    watch.failed(new Error('refused'))
    expect(troubles()).toEqual([
      {
        code: 'COMPONENT_FAILING',
        message: 'sink k1 failed and is restarted: refused',
        sinceMs,
      },
    ])
    clock.advance(60_000)
    watch.begins(component())
    watch.failed('no route')
    const [reason] = troubles()
    expect(reason).toMatchObject({ sinceMs })
    expect(reason!.message).toBe('sink k1 failed 2 times and is restarted: no route')
    watch.begins(component())
    expect(troubles()).toHaveLength(1)
    expect(watch.restarts).toBe(2)
    watch.works()
    expect(troubles()).toEqual([])
  })

  test('reports the problem that blocks it, under its name', () => {
    const message = 'events cannot be delivered'
    watch.begins(component({ code: 'SINK_FAILING', message, sinceMs: 5 }))
    const named = { code: 'SINK_FAILING', message: `sink k1: ${message}`, sinceMs: 5 }
    expect(troubles()).toEqual([named])
    watch.begins(component())
    expect(troubles()).toEqual([])
  })
})

describe('a channel', () => {
  test('is full from 95 % of its capacity on', () => {
    expect(troubles({ channels: [channel(94)] })).toEqual([])
    const [reason] = troubles({ channels: [channel(95)] })
    expect(reason).toMatchObject({ code: 'CHANNEL_FULL' })
    expect(reason!.message).toContain('channel c1 holds 95 of 100 events')
    expect(troubles({ channels: [channel(100), channel(0), channel(100)] })).toHaveLength(2)
  })
})

describe('an agent', () => {
  beforeEach(() => {
    watch.begins(component())
    watch.failed(new Error('refused'))
  })

  test('that is stopped reports only that', () => {
    const codes = troubles({ isStopping: () => true, channels: [channel(100)] })
    expect(codes.map(({ code }) => code)).toEqual(['STOPPING'])
  })

  test('that has failed reports why, also while it stops', () => {
    const failure = () => new Error('the log of channel c1 is damaged')
    expect(troubles({ failure, isStopping: () => true })).toEqual([
      { code: 'AGENT_FAILED', message: 'the log of channel c1 is damaged' },
    ])
  })
})
