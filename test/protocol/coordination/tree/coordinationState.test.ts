import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'
import { decodeEntry, encodeEntry } from '../../../../protocol/coordination/tree/entryCodec.ts'
import type { Entry } from '../../../../protocol/coordination/tree/proposal.ts'
import { applied, arbitraryEntries, arbitraryEntry, firstEntry, pathsOf } from './entries.ts'
import { type ModelStep, TreeModel } from './treeModel.ts'

type Move = Entry | 'restart' | 'repair'

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 12, arbitrary: arbitraryEntry },
  { weight: 2, arbitrary: fc.constant('restart' as const) },
  { weight: 1, arbitrary: fc.constant('repair' as const) },
)
const moves = fc.array(move, { maxLength: 40, size: 'max' }).map((given) => [firstEntry, ...given])

/** What the fold did in a form that the model has too. */
function observed(state: CoordinationState, given: Entry): ModelStep[] {
  return applied(state, given).map(({ index, outcome, events, endedSessions }) => ({
    index,
    zxid: outcome?.zxid ?? state.zxid - given.requests.length,
    error: outcome !== undefined && 'error' in outcome ? outcome.error : undefined,
    operation: outcome !== undefined && 'error' in outcome ? outcome.operation : undefined,
    results: outcome !== undefined && 'results' in outcome ? [...outcome.results] : [],
    events: [...events],
    endedSessions: [...endedSessions],
  }))
}

function expectSameState(state: CoordinationState, model: TreeModel): void {
  expect(pathsOf(state).sort()).toEqual(model.paths())
  for (const [path, node] of model.nodes) {
    expect(state.get(path)).toEqual({ data: node.data, stat: model.stat(path) })
  }
  const sessions = [...state.sessions.values()].map(({ id, member, timeoutMs, lastHeardMs }) => ({
    id,
    member,
    timeoutMs,
    heardMs: lastHeardMs,
  }))
  expect(sessions).toEqual(model.sessions)
  expect([state.clockMs, state.zxid]).toEqual([model.clockMs, model.zxid])
}

describe('the fold', () => {
  test('does what a naive model does, through restarts and repairs', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(moves, (given) => {
        let state = CoordinationState.create(1)
        const model = new TreeModel(1)
        for (const each of given) {
          if (each === 'restart') {
            state = CoordinationState.restore(state.snapshot())
          } else if (each === 'repair') {
            state.beginGeneration(state.generation + 1)
            model.beginGeneration(state.generation)
          } else {
            const steps = observed(state, decodeEntry(encodeEntry(each)))
            expect(steps).toEqual(model.apply(each))
            for (const step of steps) {
              const what = step.index < 0 ? 'expiry' : (step.error ?? 'success')
              seen.set(what, (seen.get(what) ?? 0) + 1)
            }
          }
          expectSameState(state, model)
        }
      }),
      { numRuns: 300 },
    )
    // The moves reach every outcome: the comparison is not of refusals only.
    const outcomes = ['success', 'expiry', 'NODE_EXISTS', 'NO_NODE', 'BAD_VERSION', 'NOT_EMPTY']
    const more = ['NO_CHILDREN_FOR_EPHEMERALS', 'BAD_ARGUMENTS', 'SESSION_EXPIRED']
    expect([...seen.keys()].sort()).toEqual([...outcomes, ...more].sort())
  })

  test('is pure: one snapshot and the same entries give the same steps and snapshots', () => {
    fc.assert(
      fc.property(arbitraryEntries, arbitraryEntries, (before, after) => {
        const first = CoordinationState.create(2)
        for (const each of before) applied(first, each)
        const start = first.snapshot()
        const second = CoordinationState.restore(start)
        for (const each of after) {
          expect(applied(second, each)).toEqual(applied(first, each))
          expect(second.snapshot().equals(first.snapshot())).toBe(true)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('refuses a callback that applies an entry', () => {
    const state = CoordinationState.create(1)
    const given: Entry = { member: 'one', number: 1, stepMs: 0, wallMs: 0, requests: [] }
    const closing = { ...given, requests: [{ type: 'closeSession' as const, session: 'none' }] }
    expect(() => state.apply(closing, () => state.apply(given, () => undefined))).toThrow(
      'entries are applied one after the other',
    )
  })
})
