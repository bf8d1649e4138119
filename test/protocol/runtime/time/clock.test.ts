import { describe, expect, it, vi } from 'vitest'
import { sleep, systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'

describe('sleep', () => {
  it('lasts as long as requested', async () => {
    const clock = new ManualClock()
    let isAwake = false
    void sleep(clock, 100).then(() => {
      isAwake = true
    })
    await clock.advanceAndSettle(99)
    expect(isAwake).toBe(false)
    await clock.advanceAndSettle(1)
    expect(isAwake).toBe(true)
  })

  it('ends when its signal aborts, before or during the sleep, and leaves no timer', async () => {
    const clock = new ManualClock()
    const abort = new AbortController()
    const sleeping = sleep(clock, 60_000, abort.signal)
    abort.abort()
    await sleeping
    await sleep(clock, 60_000, abort.signal)
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves no listener on its signal', async () => {
    const clock = new ManualClock()
    let listeners = 0
    const { signal } = new AbortController()
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    const sleeping = sleep(clock, 10, signal)
    expect(listeners).toBe(1)
    await clock.advanceAndSettle(10)
    await sleeping
    expect(listeners).toBe(0)
  })
})

describe('systemClock', () => {
  it('returns wall-clock time, and monotonic time that never decreases', async () => {
    expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(1_000)
    const before = systemClock.monotonicMs()
    await settle()
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before)
  })

  it('fires a timer once, not before its delay, and never when cancelled', async () => {
    const start = systemClock.monotonicMs()
    const fired: string[] = []
    const cancelled = systemClock.setTimer(1, () => fired.push('cancelled'))
    cancelled.cancel()
    cancelled.cancel()
    await new Promise<void>((resolve) => {
      systemClock.setTimer(5, () => {
        fired.push('fired')
        resolve()
      })
    })
    // setTimeout counts whole milliseconds, so it may be early by less than one.
    expect(systemClock.monotonicMs() - start).toBeGreaterThan(4)
    expect(fired).toEqual(['fired'])
  })

  it('chains setTimeout for delays of 2^31 ms and more', () => {
    vi.useFakeTimers()
    try {
      let calls = 0
      const delayMs = 3 * 2 ** 31 + 5
      systemClock.setTimer(delayMs, () => calls++)
      const cancelled = systemClock.setTimer(delayMs, () => calls++)
      vi.advanceTimersByTime(delayMs - 1)
      expect(calls).toBe(0)
      cancelled.cancel()
      vi.advanceTimersByTime(1)
      expect(calls).toBe(1)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })
})
