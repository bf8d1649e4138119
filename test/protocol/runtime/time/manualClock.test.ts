import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'

describe('ManualClock', () => {
  it('fires timers in the order of their due times, equal ones in the order in which they were set', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (delays) => {
        const clock = new ManualClock()
        const fired: { delay: number; index: number; atMs: number }[] = []
        delays.forEach((delay, index) => {
          clock.setTimer(delay, () => fired.push({ delay, index, atMs: clock.monotonicMs() }))
        })
        clock.advance(20)
        const expected = delays
          .map((delay, index) => ({ delay, index, atMs: delay }))
          .sort((a, b) => a.delay - b.delay || a.index - b.index)
        expect(fired).toEqual(expected)
      }),
    )
  })

  it('fires timers set by callbacks, and no cancelled ones', () => {
    const clock = new ManualClock(1_000)
    const seen: number[] = []
    const again = () => {
      seen.push(clock.nowMs())
      clock.setTimer(10, again)
    }
    clock.setTimer(10, again)
    const never = clock.setTimer(5, () => seen.push(-1))
    never.cancel()
    never.cancel()
    clock.advance(35)
    expect(seen).toEqual([1_010, 1_020, 1_030])
    expect(clock.nowMs()).toBe(1_035)
    expect(clock.nextTimerInMs).toBe(5)
  })

  it('iterates an asynchronous loop as often as in real time', async () => {
    const clock = new ManualClock()
    const abort = new AbortController()
    let rounds = 0
    const loop = (async () => {
      while (!abort.signal.aborted) {
        await sleep(clock, 100, abort.signal)
        rounds++
      }
    })()
    await clock.advanceAndSettle(1_000)
    expect(rounds).toBe(10)
    abort.abort()
    await loop
    expect(clock.pendingTimers).toBe(0)
  })

  it('sets the wall clock without an effect on timers', () => {
    const clock = new ManualClock(5_000)
    clock.setWallClock(100)
    expect(clock.nowMs()).toBe(100)
    expect(clock.monotonicMs()).toBe(0)
  })
})
