// A condition is logged at its start and at its end, however often it is detected in between.

import { beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { LastingCondition } from '../../../../protocol/telemetry/logging/lastingCondition.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

let clock: ManualClock
let logger: MemoryLogger
let away: LastingCondition

beforeEach(() => {
  clock = new ManualClock()
  logger = new MemoryLogger()
  away = new LastingCondition({ clock, logger, over: 'the broker is back' })
})

test('one line at its start and one at its end, with duration and number of detections', () => {
  const beganMs = clock.nowMs()
  for (let times = 0; times < 5; times++) {
    away.met({ broker: 1 }, `refused, try ${times}`)
    clock.advance(1_000)
  }
  expect(away).toMatchObject({ holds: true, sinceMs: beganMs, message: 'refused, try 4' })
  away.over({ broker: 1 })
  away.over({ broker: 1 })
  expect(away).toMatchObject({ holds: false, sinceMs: undefined, message: undefined })
  expect(logger.lines).toEqual([
    { level: 'warn', fields: { broker: 1 }, message: 'refused, try 0' },
    {
      level: 'info',
      fields: { broker: 1, lastedMs: 5_000, times: 5 },
      message: 'the broker is back',
    },
  ])
})

test('another cause is logged, and is still the same condition', () => {
  const beganMs = clock.nowMs()
  away.met({}, 'refused', 'network')
  clock.advance(1_000)
  away.met({}, 'not allowed', 'authorization')
  away.met({}, 'not allowed, again', 'authorization')
  expect(away.sinceMs).toBe(beganMs)
  away.over()
  expect(logger.lines.map(({ message }) => message)).toEqual([
    'refused',
    'not allowed',
    'the broker is back',
  ])
})

test('an intermittent condition ends only after it was absent for settleMs', () => {
  const full = new LastingCondition({ clock, logger, over: 'there is room', settleMs: 60_000 })
  for (let times = 0; times < 10; times++) {
    full.met({}, 'full')
    clock.advance(1_000)
    full.over()
    expect(full.holds).toBe(false)
    clock.advance(5_000)
  }
  expect(logger.lines).toHaveLength(1)
  clock.advance(60_000)
  full.over()
  const [, end] = logger.lines
  expect(end).toMatchObject({ message: 'there is room', fields: { lastedMs: 55_000, times: 10 } })
})

test('a forgotten condition ends without a line', () => {
  away.met({}, 'refused')
  away.forget()
  away.over()
  expect(logger.lines).toHaveLength(1)
})

test('a condition shorter than graceMs is not logged; a longer one is, with its full duration', () => {
  const away = new LastingCondition({ clock, logger, over: 'the broker is back', graceMs: 2_000 })
  away.met({}, 'no leader')
  clock.advance(1_500)
  away.met({}, 'no leader')
  expect(away.holds).toBe(true)
  away.over()
  expect(logger.lines).toEqual([])
  away.met({}, 'refused')
  clock.advance(2_000)
  away.met({}, 'refused')
  clock.advance(1_000)
  away.over()
  expect(logger.lines).toEqual([
    { level: 'warn', fields: {}, message: 'refused' },
    { level: 'info', fields: { lastedMs: 3_000, times: 2 }, message: 'the broker is back' },
  ])
})
