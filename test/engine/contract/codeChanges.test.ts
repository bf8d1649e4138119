// Pairs of job versions, as their operators before and after a change: a job continues where its
// state certainly belongs to its operators, and is otherwise refused, with the operator and advice.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CodeChange,
  type ContinuedCode,
  compareCode,
  describeChange,
  jobChanged,
} from '../../../engine/contract/codeChange.ts'
import type { OperatorContract } from '../../../engine/contract/statefulOperator.ts'

type Kind = 'updateStateByKey' | 'mapWithState' | 'reduceByKeyAndWindow' | 'sessions'

/** An operator with a uid. */
function named(uid: string, kind: Kind = 'updateStateByKey', shape = '', codec = 'v8') {
  return { uid, isNamed: true, kind, shape, codec }
}

/** An operator without a uid, named by its position among the stateful operators. */
function at(place: number, kind: Kind = 'updateStateByKey', shape = '', codec = 'v8') {
  return { uid: `${kind}-${place}`, isNamed: false, kind, shape, codec }
}

const window10 = 'window 10000 1000'
const window20 = 'window 20000 1000'
const nothing = { added: [], removed: [], moved: [], stale: [] }

interface Version {
  readonly before: readonly OperatorContract[]
  readonly now: readonly OperatorContract[]
  /** Uids of states on disk in addition to those of `before`. */
  readonly stateUids?: readonly string[]
  readonly discard?: readonly string[]
}

function compared({ before, now, stateUids = [], discard }: Version, code = 'new'): CodeChange {
  const uids = [...new Set([...before.map(({ uid }) => uid), ...stateUids])]
  return compareCode({
    before: { code: 'old', operators: before },
    now: { code, operators: now },
    stateUids: uids,
    discard,
  })
}

const goesOn: readonly (Version & { what: string; change?: Partial<ContinuedCode> })[] = [
  {
    what: 'a stateless job whose code changed',
    before: [],
    now: [],
  },
  {
    what: 'a filter or a reduce function before an inverse window changed',
    before: [named('clicks', 'reduceByKeyAndWindow', window10)],
    now: [named('clicks', 'reduceByKeyAndWindow', window10)],
  },
  {
    what: 'named operators in another order',
    before: [named('age'), named('gender')],
    now: [named('gender'), named('age')],
  },
  {
    what: 'an operator added before two named ones',
    before: [named('age'), named('gender')],
    now: [named('category'), named('age'), named('gender')],
    change: { added: ['category'] },
  },
  {
    what: 'an operator removed',
    before: [named('age'), named('gender')],
    now: [named('gender')],
    change: { removed: ['age'] },
  },
  {
    what: 'an operator added with the uid of an operator that was removed in between',
    before: [named('gender')],
    now: [named('age'), named('gender')],
    stateUids: ['age'],
    change: { added: ['age'], stale: ['age'] },
  },
  {
    what: 'an operator renamed: the new name starts empty, the old state stays',
    before: [named('age')],
    now: [named('ages')],
    change: { added: ['ages'], removed: ['age'] },
  },
  {
    what: 'two uids of the same kind swapped: the uids in the job decide',
    before: [named('age'), named('gender')],
    now: [named('gender'), named('age')],
  },
  {
    what: 'a new uid with a window of another length',
    before: [named('clicks', 'reduceByKeyAndWindow', window10)],
    now: [named('clicks20', 'reduceByKeyAndWindow', window20)],
    change: { added: ['clicks20'], removed: ['clicks'] },
  },
  {
    what: 'the only operator without a uid',
    before: [at(0)],
    now: [at(0)],
  },
  {
    what: 'the only operator of its kind without a uid, after an added operator of another kind',
    before: [at(0)],
    now: [named('visits', 'sessions'), at(1)],
    change: {
      added: ['visits'],
      moved: [{ from: 'updateStateByKey-0', to: 'updateStateByKey-1' }],
    },
  },
  {
    what: 'two operators without uids of different kinds, in another order',
    before: [at(0), at(1, 'reduceByKeyAndWindow', window10)],
    now: [at(0, 'reduceByKeyAndWindow', window10), at(1)],
    change: {
      moved: [
        { from: 'updateStateByKey-0', to: 'updateStateByKey-1' },
        { from: 'reduceByKeyAndWindow-1', to: 'reduceByKeyAndWindow-0' },
      ],
    },
  },
  {
    what: 'an operator that moves to a position with an old state',
    before: [at(0)],
    now: [named('visits', 'sessions'), at(1)],
    stateUids: ['updateStateByKey-1'],
    change: {
      added: ['visits'],
      moved: [{ from: 'updateStateByKey-0', to: 'updateStateByKey-1' }],
      stale: ['updateStateByKey-1'],
    },
  },
  {
    what: 'operators without uids that get their generated names as uids',
    before: [at(0), at(1)],
    now: [named('updateStateByKey-1'), named('category'), named('updateStateByKey-0')],
    change: { added: ['category'] },
  },
  {
    what: 'an operator without a uid removed, and no operator that it could match',
    before: [at(0), named('visits', 'sessions')],
    now: [named('visits', 'sessions')],
    change: { removed: ['updateStateByKey-0'] },
  },
  {
    what: 'the first stateful operator of a job, without a uid',
    before: [],
    now: [at(0)],
    change: { added: ['updateStateByKey-0'] },
  },
  {
    what: 'the first stateful operator of a job, at a position with an old state',
    before: [],
    now: [at(0)],
    stateUids: ['updateStateByKey-0'],
    change: { added: ['updateStateByKey-0'], stale: ['updateStateByKey-0'] },
  },
  {
    what: 'a discarded state: the operators start empty',
    before: [at(0), at(1)],
    now: [named('age'), at(1)],
    discard: ['updateStateByKey-0', 'updateStateByKey-1'],
    change: {
      added: ['age', 'updateStateByKey-1'],
      removed: ['updateStateByKey-0', 'updateStateByKey-1'],
      stale: ['updateStateByKey-1'],
    },
  },
  {
    what: 'a discarded state of another codec',
    before: [named('age')],
    now: [named('age', 'updateStateByKey', '', 'totals-2')],
    discard: ['age'],
    change: { added: ['age'], removed: ['age'], stale: ['age'] },
  },
  {
    what: 'one of two states discarded: the other state is the only one that remains',
    before: [at(0), at(1)],
    now: [at(0)],
    discard: ['updateStateByKey-0'],
    change: {
      removed: ['updateStateByKey-0'],
      moved: [{ from: 'updateStateByKey-1', to: 'updateStateByKey-0' }],
      stale: ['updateStateByKey-0'],
    },
  },
]

describe('continues', () => {
  test.each(goesOn)('$what', ({ change = {}, ...version }) => {
    expect(compared(version)).toEqual({ kind: 'continue', ...nothing, ...change })
  })

  test('unchanged code, with or without uids', () => {
    const operators = [at(0), at(1), named('visits', 'sessions')]
    expect(compared({ before: operators, now: operators }, 'old')).toEqual({ kind: 'same' })
  })

  test('a state that was discarded is not discarded again', () => {
    const operators = [named('age'), named('gender')]
    const again = { before: operators, now: operators, discard: ['age'] }
    expect(compared(again, 'old')).toEqual({ kind: 'same' })
    expect(compared(again)).toEqual({ kind: 'continue', ...nothing })
  })

  test('a job that has not planned a batch', () => {
    const now = { code: 'new', operators: [at(0)] }
    expect(compareCode({ before: undefined, now, stateUids: [] })).toEqual({ kind: 'same' })
  })
})

const refused: readonly (Version & { what: string; words: readonly string[] })[] = [
  {
    what: 'a third operator before two operators without uids (fault 2 of the review)',
    before: [at(0), at(1)],
    now: [at(0), at(1), at(2)],
    words: [
      "cannot tell which operator owns the state 'updateStateByKey-0' and 'updateStateByKey-1'",
      "Write uid: 'updateStateByKey-0' and uid: 'updateStateByKey-1' on the operator",
      '--discard-state updateStateByKey-0,updateStateByKey-1',
    ],
  },
  {
    what: 'two operators without uids and other code: their order may have changed',
    before: [at(0), at(1)],
    now: [at(0), at(1)],
    words: ["uid: 'updateStateByKey-0' and uid: 'updateStateByKey-1'"],
  },
  {
    what: 'a second operator of the same kind beside an operator without a uid',
    before: [at(0)],
    now: [at(0), at(1)],
    words: [
      'the code has 2 operators updateStateByKey without a uid',
      "Write uid: 'updateStateByKey-0' on the",
    ],
  },
  {
    what: 'a named operator of the same kind beside an operator without a uid',
    before: [at(0)],
    now: [named('category'), at(1)],
    words: ["the code has updateStateByKey 'category' and one without a uid"],
  },
  {
    what: 'one of two operators without uids removed',
    before: [at(0), at(1)],
    now: [at(0)],
    words: ["owns the state 'updateStateByKey-0' and 'updateStateByKey-1'"],
  },
  {
    what: 'an operator without a uid that gets a uid other than its generated name',
    before: [at(0)],
    now: [named('age')],
    words: [
      "the code has updateStateByKey 'age'",
      "Write uid: 'updateStateByKey-0' on the operator",
    ],
  },
  {
    what: 'a named operator whose uid was removed',
    before: [named('age')],
    now: [at(0)],
    words: ["owns the state 'age'", "Write uid: 'age' on the operator"],
  },
  {
    what: 'another kind under the same uid',
    before: [named('age')],
    now: [named('age', 'mapWithState')],
    words: ["operator 'age' had the kind 'updateStateByKey', and has 'mapWithState' now"],
  },
  {
    what: 'a window of another length under the same uid',
    before: [named('clicks', 'reduceByKeyAndWindow', window10)],
    now: [named('clicks', 'reduceByKeyAndWindow', window20)],
    words: [`operator 'clicks' had the shape '${window10}', and has '${window20}' now`],
  },
  {
    what: 'another codec under the same uid',
    before: [named('age', 'updateStateByKey', '', 'totals-1')],
    now: [named('age', 'updateStateByKey', '', 'totals-2')],
    words: ["operator 'age' had the codec 'totals-1', and has 'totals-2' now", 'another uid'],
  },
  {
    what: 'the uids of operators of different kinds swapped',
    before: [named('a'), named('b', 'sessions', 'gap 5000')],
    now: [named('b'), named('a', 'sessions', 'gap 5000')],
    words: [
      "operator 'b' had the kind 'sessions', and has 'updateStateByKey' now; the shape 'gap 5000', and",
      "operator 'a' had the kind 'updateStateByKey', and has 'sessions' now; the shape none, and has",
    ],
  },
  {
    what: 'the only operator without a uid, with another window',
    before: [at(0, 'reduceByKeyAndWindow', window10)],
    now: [at(0, 'reduceByKeyAndWindow', window20)],
    words: ["operator 'reduceByKeyAndWindow-0' had the shape", '--discard-state reduceByKey'],
  },
  {
    what: 'one operator named by its generated name, while the other still has no uid',
    before: [at(0), at(1)],
    now: [named('updateStateByKey-0'), named('category'), at(2)],
    words: ["owns the state 'updateStateByKey-1'"],
  },
  {
    what: 'one of two operators named, and the other still without a uid: it may be a new operator',
    before: [at(0), at(1)],
    now: [named('updateStateByKey-0'), at(1)],
    words: ["owns the state 'updateStateByKey-1'"],
  },
  {
    what: 'a changed operator whose state is not discarded, although other states are',
    before: [at(0), at(1), named('clicks')],
    now: [at(0), at(1), at(2), named('clicks', 'sessions')],
    discard: ['updateStateByKey-0', 'updateStateByKey-1'],
    words: ["operator 'clicks' had the kind"],
  },
]

describe('is refused', () => {
  test.each(refused)('$what', ({ words, ...version }) => {
    const change = compared(version)
    expect(change.kind).toBe('refused')
    const { problems } = change as Extract<CodeChange, { kind: 'refused' }>
    const { code, message } = jobChanged('orders', problems)
    expect(code).toBe('JOB_CHANGED')
    for (const text of ["the code of job 'orders' has changed", ...words]) {
      expect(message).toContain(text)
    }
  })

  test('unchanged code that builds different operators, for example depending on the environment', () => {
    const change = compared({ before: [at(0), at(1)], now: [at(0)] }, 'old')
    expect(change.kind).toBe('refused')
  })

  test('until the uids that the error names are written in the code', () => {
    const before = [at(0), at(1)]
    expect(compared({ before, now: [at(0), at(1), at(2)] }).kind).toBe('refused')
    const advised = [named('updateStateByKey-1'), at(1), named('updateStateByKey-0')]
    expect(compared({ before, now: advised })).toMatchObject({
      kind: 'continue',
      added: ['updateStateByKey-1'],
    })
  })
})

describe('a job from before operators were recorded', () => {
  function takenOver(
    stateUids: readonly string[],
    now: readonly OperatorContract[],
    discard: readonly string[] = [],
  ): CodeChange {
    return compareCode({ before: {}, now: { code: 'new', operators: now }, stateUids, discard })
  }

  test('continues when its states match its operators', () => {
    expect(takenOver(['updateStateByKey-1', 'age'], [named('age'), at(1)])).toEqual({
      kind: 'continue',
      ...nothing,
      isTakenOver: true,
    })
  })

  test('continues when it has no state', () => {
    expect(takenOver([], [at(0)])).toMatchObject({
      kind: 'continue',
      added: ['updateStateByKey-0'],
      isTakenOver: true,
    })
  })

  test('continues without the discarded states', () => {
    const now = [named('age'), named('clicks', 'reduceByKeyAndWindow', window10)]
    expect(takenOver(['age', 'clicks', 'gone'], now, ['clicks', 'gone'])).toEqual({
      ...{ kind: 'continue', added: ['clicks'], removed: ['clicks', 'gone'], moved: [] },
      ...{ stale: ['clicks'], isTakenOver: true },
    })
  })

  test.each([
    [['age'], [named('age'), named('gender')], "operator 'gender' has no state"],
    [['age', 'gender'], [named('age')], "state 'gender' has no operator"],
    [
      ['age', 'clicks'],
      [named('age'), named('clicks', 'reduceByKeyAndWindow', window10)],
      "the state 'clicks' of reduceByKeyAndWindow was written by an earlier version of Millrace, and only states of updateStateByKey can",
    ],
  ])('is refused when they differ: states %j', (stateUids, now, words) => {
    const change = takenOver(stateUids, now)
    expect(change.kind).toBe('refused')
    expect((change as { problems: readonly string[] }).problems.join()).toContain(words)
  })
})

describe('any two versions', () => {
  const kinds = fc.constantFrom<Kind>('updateStateByKey', 'mapWithState', 'sessions')
  const shapes = fc.constantFrom('', window10)
  const operators = fc
    .array(
      fc.record({
        name: fc.option(fc.constantFrom('a', 'b', 'c', 'updateStateByKey-0')),
        kind: kinds,
        shape: shapes,
      }),
      { maxLength: 4 },
    )
    .map((list) => {
      const built: OperatorContract[] = []
      for (const { name, kind, shape } of list) {
        const operator = name === null ? at(built.length, kind, shape) : named(name, kind, shape)
        if (built.every(({ uid }) => uid !== operator.uid)) built.push(operator)
      }
      return built
    })
  const uids = fc.uniqueArray(fc.constantFrom('a', 'b', 'd', 'updateStateByKey-1', 'sessions-0'))

  test('give a state to a matching operator, once, and to no other', () => {
    fc.assert(
      fc.property(operators, operators, uids, uids, (before, now, stateUids, discard) => {
        const change = compared({ before, now, stateUids, discard })
        if (change.kind !== 'continue') return
        const onDisk = new Set([...before.map(({ uid }) => uid), ...stateUids])
        for (const uid of change.stale) expect(onDisk.delete(uid)).toBe(true)
        const states = new Map([...onDisk].map((uid) => [uid, uid]))
        for (const { from, to } of change.moved) {
          expect(states.has(to)).toBe(false)
          states.set(to, states.get(from)!)
          states.delete(from)
        }
        for (const operator of now) {
          const state = states.get(operator.uid)
          expect(state === undefined).toBe(change.added.includes(operator.uid))
          if (state === undefined) continue
          const was = before.find(({ uid }) => uid === state)
          expect(was).toMatchObject({ kind: operator.kind, shape: operator.shape })
          // An operator without a uid gets the state of such an operator, and never a named one's.
          if (!operator.isNamed) expect(was!.isNamed).toBe(false)
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('do not depend on the order of named operators', () => {
    fc.assert(
      fc.property(operators, operators, (before, now) => {
        const [one, other] = [before, now].map((list) => list.filter(({ isNamed }) => isNamed))
        const change = compared({ before: one!, now: other! })
        const turned = compared({ before: one!.toReversed(), now: other!.toReversed() })
        expect(turned.kind).toBe(change.kind)
        if (change.kind !== 'continue' || turned.kind !== 'continue') return
        expect([...turned.added].sort()).toEqual([...change.added].sort())
        expect(change.moved).toEqual([])
      }),
    )
  })

  test('are never confused when two operators without uids have the same kind', () => {
    fc.assert(
      fc.property(operators, operators, (before, now) => {
        const change = compared({ before, now })
        if (change.kind !== 'continue') return
        for (const kind of new Set(before.map((operator) => operator.kind))) {
          const unnamed = (list: readonly OperatorContract[]) =>
            list.filter((operator) => operator.kind === kind && !operator.isNamed)
          if (unnamed(before).length > 1) {
            // If one of these operators starts empty, all of them do.
            const others = unnamed(now).map(({ uid }) => uid)
            for (const uid of others) expect(change.added).toContain(uid)
          }
        }
      }),
      { numRuns: 3000 },
    )
  })
})

test('a log line describes the change, and nothing else', () => {
  const change = compared({ before: [at(0)], now: [named('visits', 'sessions'), at(1)] })
  expect(describeChange(change as ContinuedCode)).toEqual({
    added: ['visits'],
    moved: ['updateStateByKey-0 -> updateStateByKey-1'],
  })
})
