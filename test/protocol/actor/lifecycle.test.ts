import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lifecycle, type Step } from '../../../protocol/actor/lifecycle.ts'

/** Runs the steps until none is left, each to its end; returns them. */
function walk(lifecycle: Lifecycle, messages = 0): Step[] {
  const steps: Step[] = []
  for (;;) {
    const step = lifecycle.next()
    if (step === 'wait' || (step === 'handle' && messages === 0)) return steps
    steps.push(step)
    if (step === 'handle') messages--
    lifecycle.begin(step)
    lifecycle.done()
  }
}

describe('Lifecycle', () => {
  it('starts, handles, closes and finishes', () => {
    const lifecycle = new Lifecycle()
    expect(walk(lifecycle, 2)).toEqual(['start', 'handle', 'handle'])
    lifecycle.stop()
    expect(walk(lifecycle, 2)).toEqual(['close', 'finish'])
    expect(lifecycle.phase).toBe('stopped')
  })

  it('finishes without a start when it is stopped before', () => {
    const lifecycle = new Lifecycle()
    lifecycle.stop()
    expect(walk(lifecycle, 1)).toEqual(['finish'])
  })

  it('holds between two incarnations until released', () => {
    const lifecycle = new Lifecycle()
    walk(lifecycle)
    lifecycle.restart()
    expect(walk(lifecycle, 1)).toEqual(['close'])
    expect(lifecycle.phase).toBe('held')
    lifecycle.release()
    expect(walk(lifecycle, 1)).toEqual(['start', 'handle'])
  })

  it('keeps one step at a time and its promises under any sequence of events', () => {
    const event = fc.constantFrom('step', 'step', 'step', 'restart', 'release', 'stop')
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const lifecycle = new Lifecycle()
        const history: Step[] = []
        let current: Step = 'wait'
        let wasStopping = false
        for (const name of events) {
          if (name === 'step') {
            if (current !== 'wait') {
              lifecycle.done()
              current = 'wait'
            } else {
              const step = lifecycle.next()
              if (step !== 'wait') {
                lifecycle.begin(step)
                history.push(step)
                current = step
              }
            }
          } else if (name === 'stop') lifecycle.stop()
          else if (name === 'restart') {
            if (lifecycle.phase === 'live') lifecycle.restart()
          } else if (lifecycle.phase === 'held') lifecycle.release()
          if (current !== 'wait') expect(lifecycle.next()).toBe('wait')
          expect(wasStopping && !lifecycle.isStopping).toBe(false)
          wasStopping = lifecycle.isStopping
        }
        // Every incarnation that started is closed before the next one starts.
        const shape = history.filter((step) => step !== 'handle').join(' ')
        expect(shape).toMatch(/^(start close ?)*(start)?(finish)?$/)
      }),
    )
  })

  it('refuses a restart or a release in a phase that has none', () => {
    expect(() => new Lifecycle().restart()).toThrow('nothing to restart')
    expect(() => new Lifecycle().release()).toThrow('not held')
  })
})
