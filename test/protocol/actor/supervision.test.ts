import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { restart, Supervisor, type Verdict } from '../../../protocol/actor/supervision.ts'
import { AssertionError } from '../../../protocol/runtime/assert.ts'

const error = new Error('planned')

describe('Supervisor', () => {
  it('doubles the backoff up to its limit, and begins again when the window has passed', () => {
    const strategy = restart({
      minBackoffMs: 100,
      maxBackoffMs: 500,
      maxRestarts: 9,
      withinMs: 1_000,
    })
    const supervisor = new Supervisor(strategy)
    const delayAt = (nowMs: number) => {
      const decision = supervisor.onFailure(error, nowMs, 0)
      return decision.kind === 'restart' ? decision.delayMs : decision.kind
    }
    expect([0, 100, 200, 300].map(delayAt)).toEqual([100, 200, 400, 500])
    expect(delayAt(1_299)).toBe(200)
    expect(delayAt(5_000)).toBe(100)
  })

  it('adds at most a fifth of jitter and never exceeds the limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 0, max: 40 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (minBackoffMs, factor, failures, chance) => {
          const maxBackoffMs = minBackoffMs * factor
          const strategy = restart({ minBackoffMs, maxBackoffMs, maxRestarts: 100, withinMs: 1e9 })
          const supervisor = new Supervisor(strategy)
          for (let nowMs = 0; nowMs < failures; nowMs++) supervisor.onFailure(error, nowMs, chance)
          const decision = supervisor.onFailure(error, failures, chance)
          if (decision.kind !== 'restart') throw new Error(decision.kind)
          const bare = Math.min(maxBackoffMs, minBackoffMs * 2 ** failures)
          expect(decision.delayMs).toBeGreaterThanOrEqual(bare)
          expect(decision.delayMs).toBeLessThanOrEqual(Math.min(maxBackoffMs, bare * 1.2))
        },
      ),
    )
  })

  it('never restarts more often within a window than its limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 60 }),
        (maxRestarts, withinMs, gaps) => {
          const supervisor = new Supervisor(restart({ maxRestarts, withinMs }))
          const restarts: number[] = []
          let nowMs = 0
          for (const gap of gaps) {
            nowMs += gap
            const recent = restarts.filter((atMs) => nowMs - atMs < withinMs).length
            const decision = supervisor.onFailure(error, nowMs, 0.5)
            expect(decision.kind).toBe(recent < maxRestarts ? 'restart' : 'stop')
            if (decision.kind === 'restart') restarts.push(nowMs)
          }
        },
      ),
    )
  })

  it('decides by the error, and counts restarts whatever the errors in between', () => {
    const verdict = ({ message }: Error) => message as Verdict
    const supervisor = new Supervisor(restart({ verdict, maxRestarts: 1 }))
    const decide = (kind: Verdict) => supervisor.onFailure(new Error(kind), 0, 0)
    expect(decide('escalate')).toEqual({ kind: 'escalate' })
    expect(decide('stop')).toEqual({ kind: 'stop', reason: 'failed' })
    expect(decide('restart')).toEqual({ kind: 'restart', delayMs: 100 })
    expect(decide('escalate')).toEqual({ kind: 'escalate' })
    expect(decide('restart')).toEqual({ kind: 'stop', reason: 'restartLimit' })
  })

  it('escalates a broken invariant whatever the verdict', () => {
    const broken = new AssertionError('offsets went back')
    expect(new Supervisor(restart()).onFailure(broken, 0, 0)).toEqual({ kind: 'escalate' })
  })

  it('refuses bounds that make no sense', () => {
    expect(() => restart({ minBackoffMs: 0 })).toThrow('minBackoffMs')
    expect(() => restart({ minBackoffMs: 10, maxBackoffMs: 5 })).toThrow('maxBackoffMs')
    expect(() => restart({ withinMs: 0 })).toThrow('withinMs')
  })
})
