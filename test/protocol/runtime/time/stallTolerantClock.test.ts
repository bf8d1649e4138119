import { beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../../../protocol/runtime/time/clock.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { stallTolerant } from '../../../../protocol/runtime/time/stallTolerantClock.ts'

describe('a clock that tolerates stalls', () => {
  let manual: ManualClock
  let clock: Clock
  let fired: number[]
  const note = () => fired.push(clock.monotonicMs())

  beforeEach(() => {
    manual = new ManualClock()
    clock = stallTolerant(manual)
    fired = []
  })

  it('fires on time without a stall', () => {
    clock.setTimer(1000, note)
    manual.advance(10_000)
    expect(fired).toEqual([1000])
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([manual.nowMs(), 10_000])
  })

  it('fires a late timer after a grace period', () => {
    clock.setTimer(1000, note)
    manual.stall(30_000)
    manual.advance(1999)
    expect(fired).toEqual([])
    manual.advance(1)
    expect(fired).toEqual([32_000])
  })

  it('fires a slightly late timer at once', () => {
    clock.setTimer(1000, note)
    manual.stall(1499)
    expect(fired).toEqual([1499])
  })

  it('cancels a timer before and during its grace period', () => {
    const before = clock.setTimer(1000, note)
    const after = clock.setTimer(2000, note)
    before.cancel()
    manual.stall(30_000)
    after.cancel()
    manual.advance(10_000)
    expect(fired).toEqual([])
    expect(manual.pendingTimers).toBe(0)
  })

  it('fires a timer that is always late after a limited number of grace periods', () => {
    clock.setTimer(1000, note)
    for (let count = 0; count < 11; count++) manual.stall(5000)
    expect(fired).toEqual([55_000])
  })
})
