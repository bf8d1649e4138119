import { beforeEach, describe, expect, test } from 'vitest'
import { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'
import { applied, close, create, entry, open, transact, transaction } from './entries.ts'

const base = 2 ** 40
const heartbeat = (member: string, stepMs: number) => entry([], { member, stepMs })

let state: CoordinationState

beforeEach(() => {
  state = CoordinationState.create(1)
})

/** Sessions that the entry ended. */
function ended(given = heartbeat('one', 0)): string[] {
  return applied(state, given).flatMap((step) => step.endedSessions)
}

describe('a session', () => {
  test('is opened by a member, with its zxid and the clock of the log', () => {
    applied(state, heartbeat('one', 1000))
    applied(state, entry([open('s', 4000)], { stepMs: 500 }))
    expect([...state.sessions.values()].map((each) => ({ ...each, member: each.member }))).toEqual([
      expect.objectContaining({ id: 's', member: 'one', timeoutMs: 4000, openedZxid: base + 1 }),
    ])
    expect(state.sessions.get('s')).toMatchObject({ lastHeardMs: 1500, name: 'holder of s' })
  })

  test('is refused with an id in use, none, or a timeout out of bounds', () => {
    applied(state, entry([open('s')]))
    const refusals = [
      [open('s'), 'the session exists'],
      [open(''), 'has an id'],
      [open('x'.repeat(1025)), 'at most 1024 bytes'],
      [open('t', 2999), 'a timeout of 2999 ms is not from 3000 to 600000'],
      [open('t', 600_001), 'a timeout of 600001 ms'],
      [open('t', Number.NaN), 'a timeout of NaN ms'],
    ] as const
    for (const [request, message] of refusals) {
      const outcome = applied(state, entry([request]))[0]!.outcome!
      expect(outcome).toMatchObject({ error: 'BAD_ARGUMENTS', operation: -1 })
      expect('message' in outcome && outcome.message).toContain(message)
    }
    expect([...state.sessions.keys()]).toEqual(['s'])
  })

  test('that is closed takes its ephemeral nodes with it, in the order of their paths', () => {
    applied(state, entry([open('s'), open('t')]))
    const ephemeral = { isEphemeral: true }
    transact(state, [create('/b', '', ephemeral), create('/d'), create('/a', '', ephemeral)], 's')
    transact(state, [create('/d/c', '', ephemeral)], 's')
    transact(state, [create('/other', '', ephemeral)], 't')
    expect(state.exists('/a')!.ephemeralOwner).toBe('s')
    const step = applied(state, entry([close('s')]))[0]!
    const zxid = state.zxid
    expect(step).toEqual({
      index: 0,
      outcome: { zxid, results: [] },
      events: ['/a', '/b', '/d/c'].map((path) => ({ type: 'deleted', path, zxid })),
      endedSessions: ['s'],
    })
    expect(state.children('/')).toEqual(['d', 'other'])
    expect(state.exists('/d')).toMatchObject({ childrenZxid: zxid, childrenVersion: 2 })
    expect([...state.sessions.keys()]).toEqual(['t'])
  })

  test('that has ended is closed again without effect', () => {
    const step = applied(state, entry([close('none')]))[0]!
    expect(step).toEqual({
      index: 0,
      outcome: { zxid: base + 1, results: [] },
      events: [],
      endedSessions: [],
    })
  })

  test('that has ended refuses its transactions, whoever proposes them', () => {
    applied(state, entry([open('s'), close('s')]))
    for (const member of ['one', 'two']) {
      const step = applied(state, entry([transaction([create('/a')], 's')], { member }))[0]!
      expect(step.outcome).toMatchObject({ error: 'SESSION_EXPIRED', operation: -1 })
    }
    expect(state.children('/')).toEqual([])
  })
})

describe('an ephemeral node', () => {
  test('needs a session', () => {
    const outcome = transact(state, [create('/a', '', { isEphemeral: true })])
    expect(outcome).toMatchObject({ error: 'BAD_ARGUMENTS', operation: 0 })
  })

  test('has no children', () => {
    applied(state, entry([open('s')]))
    transact(state, [create('/a', '', { isEphemeral: true })], 's')
    const outcome = transact(state, [create('/a/b')], 's')
    expect(outcome).toMatchObject({
      error: 'NO_CHILDREN_FOR_EPHEMERALS',
      message: 'create /a/b: the parent /a is ephemeral',
    })
  })

  test('that was deleted and created again by another session stays when the first one ends', () => {
    applied(state, entry([open('s'), open('t')]))
    const ephemeral = create('/a', '', { isEphemeral: true })
    transact(state, [ephemeral], 's')
    transact(state, [{ type: 'delete', path: '/a' }, ephemeral], 't')
    applied(state, entry([close('s')]))
    expect(state.exists('/a')!.ephemeralOwner).toBe('t')
    applied(state, entry([close('t')]))
    expect(state.exists('/a')).toBeUndefined()
  })

  test('of a refused transaction leaves nothing to its session', () => {
    applied(state, entry([open('s')]))
    transact(state, [create('/a', '', { isEphemeral: true }), create('/a/b')], 's')
    transact(state, [create('/a')])
    applied(state, entry([close('s')]))
    expect(state.children('/')).toEqual(['a'])
  })
})

describe('expiry', () => {
  test('ends a session once the clock is past its timeout since its member was heard', () => {
    applied(state, entry([open('s', 3000)]))
    for (const stepMs of [1000, 1000, 1000]) expect(ended(heartbeat('two', stepMs))).toEqual([])
    expect(ended(heartbeat('two', 0.5))).toEqual(['s'])
    expect(state.sessions.size).toBe(0)
  })

  test('comes before the requests of the entry, as a step with its own zxid', () => {
    applied(state, entry([open('s', 3000)]))
    transact(state, [create('/a', '', { isEphemeral: true })], 's')
    for (let count = 0; count < 2; count++) applied(state, heartbeat('two', 1200))
    const requests = [transaction([create('/a')])]
    const steps = applied(state, entry(requests, { member: 'two', stepMs: 1200 }))
    expect(steps).toMatchObject([
      {
        index: -1,
        outcome: undefined,
        events: [{ type: 'deleted', path: '/a', zxid: base + 3 }],
        endedSessions: ['s'],
      },
      { index: 0, outcome: { zxid: base + 4, results: [{ path: '/a' }] }, endedSessions: [] },
    ])
  })

  test('is prevented by any entry of the member, for all of its sessions', () => {
    applied(state, entry([open('s', 3000), open('t', 3000)]))
    applied(state, entry([open('u', 3000)], { member: 'two' }))
    for (let count = 0; count < 2; count++) applied(state, heartbeat('three', 1200))
    applied(state, heartbeat('one', 0))
    expect(ended(heartbeat('three', 1200))).toEqual(['u'])
    expect([...state.sessions.keys()]).toEqual(['s', 't'])
  })

  test('never ends sessions of the member whose entry advances the clock', () => {
    applied(state, entry([open('s', 3000)]))
    for (let count = 0; count < 10; count++) expect(ended(heartbeat('one', 1200))).toEqual([])
  })

  test('is not undone by an entry of the member right after it', () => {
    applied(state, entry([open('s', 3000)]))
    for (let count = 0; count < 3; count++) applied(state, heartbeat('two', 1200))
    const step = applied(state, entry([transaction([create('/a')], 's')]))[0]!
    expect(step.outcome).toMatchObject({
      error: 'SESSION_EXPIRED',
      message: 'session s has expired or was closed',
    })
  })

  test('of several sessions is in the order in which they were opened', () => {
    applied(state, entry([open('z', 5000), open('a', 3000), open('m', 4000)]))
    applied(state, entry([open('last', 3000)], { member: 'two', stepMs: 1200 }))
    for (let count = 0; count < 3; count++) applied(state, heartbeat('three', 600))
    // The clock is at 3000: the deadline of `a`, which it is not past.
    state = CoordinationState.restore(state.snapshot())
    expect(ended(heartbeat('three', 1200))).toEqual(['a', 'm'])
    expect(ended(heartbeat('three', 1200))).toEqual(['z', 'last'])
  })

  test('of a longer timeout is not hastened by one of a shorter one', () => {
    applied(state, entry([open('long', 600_000), open('short', 3000)]))
    const at: [number, string][] = []
    while (state.sessions.size > 0) {
      for (const session of ended(heartbeat('two', 1000))) at.push([state.clockMs, session])
    }
    expect(at).toEqual([
      [4000, 'short'],
      [601_000, 'long'],
    ])
  })
})

describe('the clock of the log', () => {
  test('advances by the step of each entry, but never by more than maxStepMs', () => {
    applied(state, heartbeat('one', 700.5))
    applied(state, heartbeat('one', 1_000_000))
    expect(state.clockMs).toBe(1900.5)
  })

  test('does not advance by a step that is no duration, and nothing of that entry is applied', () => {
    for (const stepMs of [-1, Number.NaN]) {
      expect(() => applied(state, entry([transaction([])], { stepMs }))).toThrow('step of an entry')
    }
    expect(() => applied(state, entry([open('s')], { wallMs: Number.NaN }))).toThrow(
      'time of an entry',
    )
    expect([state.clockMs, state.zxid, state.sessions.size]).toEqual([0, base, 0])
  })
})
