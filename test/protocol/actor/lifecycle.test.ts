import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lifecycle, type Step } from '../../../protocol/actor/lifecycle.ts'

/** Goes through the steps until there is nothing to do; each step is done at once. */
function walk(lifecycle: Lifecycle, messages = 0): Step[] {
  const steps: Step[] = []
  for (;;) {
    const step = lifecycle.next(messages === 0)
    if (step === 'wait' || (step === 'handle' && messages === 0)) return steps
    steps.push(step)
    if (step === 'handle') messages--
    lifecycle.begin(step)
    lifecycle.done()
  }
}

describe('Lifecycle', () => {
  it('starts, handles, stops its children, closes and finishes', () => {
    const lifecycle = new Lifecycle()
    expect(walk(lifecycle, 2)).toEqual(['start', 'handle', 'handle'])
    lifecycle.stop('drop')
    expect(walk(lifecycle, 2)).toEqual(['stopChildren', 'close', 'finish'])
    expect(lifecycle.phase).toBe('stopped')
  })

  it('handles the mailbox before a draining stop, also before the start', () => {
    const lifecycle = new Lifecycle()
    lifecycle.stop('drain')
    expect(walk(lifecycle, 1)).toEqual(['start', 'handle', 'stopChildren', 'close', 'finish'])
    const idle = new Lifecycle()
    idle.stop('drain')
    expect(walk(idle)).toEqual(['finish'])
  })

  it('stops draining after a failure, and when asked to drop', () => {
    for (const interrupt of [(l: Lifecycle) => l.failed(), (l: Lifecycle) => l.stop('drop')]) {
      const lifecycle = new Lifecycle()
      walk(lifecycle)
      lifecycle.stop('drain')
      interrupt(lifecycle)
      lifecycle.stop('drain')
      expect(walk(lifecycle, 3)).toEqual(['stopChildren', 'close', 'finish'])
    }
  })

  it('holds between two incarnations until released', () => {
    const lifecycle = new Lifecycle()
    walk(lifecycle)
    lifecycle.restart()
    expect(walk(lifecycle, 1)).toEqual(['stopChildren', 'close'])
    expect(lifecycle.phase).toBe('held')
    lifecycle.release()
    expect(walk(lifecycle, 1)).toEqual(['start', 'handle'])
  })

  it('runs one step at a time and keeps its contract under any sequence of events', () => {
    const event = fc.constantFrom('step', 'restart', 'release', 'drain', 'drop', 'failed')
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
              const step = lifecycle.next(false)
              if (step !== 'wait') {
                lifecycle.begin(step)
                history.push(step)
                current = step
              }
            }
          } else if (name === 'restart') lifecycle.restart()
          else if (name === 'release') lifecycle.release()
          else if (name === 'failed') lifecycle.failed()
          else lifecycle.stop(name === 'drain' ? 'drain' : 'drop')
          if (current !== 'wait') expect(lifecycle.next(false)).toBe('wait')
          expect(wasStopping && !lifecycle.isStopping).toBe(false)
          wasStopping = lifecycle.isStopping
        }
        // Every incarnation that started is closed, after its children, before the next one starts.
        const shape = history.filter((step) => step !== 'handle').join(' ')
        expect(shape).toMatch(/^(start stopChildren close ?)*(start( stopChildren)?)?(finish)?$/)
      }),
    )
  })
})
