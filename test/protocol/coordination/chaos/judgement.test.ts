// The judge of a chaos run finds each kind of violation when it is planted in a short history, and
// finds nothing in the nearest right one.

import { describe, expect, test } from 'vitest'
import type { CallInput, CallOutcome, ChaosEvent } from './chaosEvents.ts'
import { ChaosHistory } from './chaosHistory.ts'
import { judge } from './judgement.ts'
import type { Audit } from './logAuditor.ts'

const right: Audit = { changes: new Map(), entries: [], expiries: [], problems: [] }

function problemsOf(events: readonly ChaosEvent[], audit: Partial<Audit> = {}): readonly string[] {
  const history = new ChaosHistory()
  for (const event of events) history.record(event)
  return judge(history, { ...right, ...audit }).problems
}

function call(
  member: string,
  input: CallInput,
  outcome: CallOutcome | undefined,
  [at, until]: readonly [number, number],
): ChaosEvent[] {
  const name = `${member} ${at}`
  const events: ChaosEvent[] = [{ kind: 'call', call: name, member, input, at }]
  if (outcome !== undefined) events.push({ kind: 'return', call: name, outcome, at: until })
  return events
}

const made = (zxid: number, version: number): CallOutcome => ({
  type: 'answered',
  output: { zxid, version },
})

/** A tenure that joins, is held, is certain once, and leaves or not. */
function tenure(
  [id, queue, token]: readonly [string, string, number],
  [join, held, certain, left]: readonly [number, number, number, number?],
): ChaosEvent[] {
  const events: ChaosEvent[] = [
    { kind: 'join', tenure: id, member: id, queue, at: join },
    { kind: 'held', tenure: id, token, at: held },
    { kind: 'certain', tenure: id, after: held, before: held },
    { kind: 'certain', tenure: id, after: certain, before: certain + 1 },
  ]
  if (left === undefined) return events
  events.push({ kind: 'leave', tenure: id, at: left }, { kind: 'left', tenure: id, at: left + 1 })
  return events
}

describe('registers', () => {
  const create = { path: '/r', kind: 'create', data: 'a' } as const
  const set = { path: '/r', kind: 'set', data: 'b' } as const
  const get = { path: '/r', kind: 'get' } as const
  const created = call('m1', create, made(1, 0), [1, 2])

  test('a read after an acknowledged change has that change', () => {
    const change = [...created, ...call('m1', set, made(2, 1), [3, 4])]
    const changes = new Map([
      ['a', 1],
      ['b', 2],
    ])
    const read = (data: string, version: number, zxid: number) => {
      const output = { data, version, zxid }
      return call('m2', get, { type: 'answered', output }, [5, 6])
    }
    expect(problemsOf([...change, ...read('b', 1, 2)], { changes })).toEqual([])
    expect(problemsOf([...change, ...read('a', 0, 1)], { changes })).toHaveLength(1)
  })

  test('an acknowledged change is in the log, with its zxid', () => {
    expect(problemsOf(created, { changes: new Map([['a', 1]]) })).toEqual([])
    expect(problemsOf(created)[0]).toMatch(/the log does not have it/)
    expect(problemsOf(created, { changes: new Map([['a', 7]]) })[0]).toMatch(/zxid 1/)
  })

  test('a change that was refused never takes effect', () => {
    const refused = call('m1', create, { type: 'refused' }, [1, 2])
    expect(problemsOf(refused)).toEqual([])
    const [problem] = problemsOf(refused, { changes: new Map([['a', 1]]) })
    expect(problem).toMatch(/said to have no effect/)
  })

  test('a change with an unknown outcome may happen late, but not twice in the reads', () => {
    const events = (data: string) => [
      ...created,
      ...call('m1', set, { type: 'unknown' }, [3, 4]),
      ...call('m2', get, { type: 'answered', output: { data: 'a', version: 0 } }, [5, 6]),
      ...call('m2', get, { type: 'answered', output: { data: 'b', version: 1 } }, [7, 8]),
      ...call(
        'm2',
        get,
        { type: 'answered', output: { data, version: data === 'b' ? 1 : 0 } },
        [9, 10],
      ),
    ]
    const changes = new Map([
      ['a', 1],
      ['b', 2],
    ])
    expect(problemsOf(events('b'), { changes })).toEqual([])
    expect(problemsOf(events('a'), { changes })).toHaveLength(1)
  })

  test('a change of a member takes effect before its later ones', () => {
    const late = { path: '/r2', kind: 'create', data: 'c' } as const
    const events = [
      ...call('m1', create, { type: 'unknown' }, [1, 2]),
      ...call('m1', late, made(5, 0), [3, 4]),
    ]
    const changes = (zxid: number) => ({
      changes: new Map([
        ['a', zxid],
        ['c', 5],
      ]),
    })
    expect(problemsOf(events, changes(4))).toEqual([])
    expect(problemsOf(events, changes(6))[0]).toMatch(/took effect before/)
  })
})

describe('locks and elections', () => {
  test('a lock has one holder, whose token is higher than those before', () => {
    const first = tenure(['t1', '/locks/a', 1], [1, 2, 5, 6])
    const next = (token: number, held: number) =>
      tenure(['t2', '/locks/a', token], [3, held, 20, 21])
    expect(problemsOf([...first, ...next(2, 9)])).toEqual([])
    expect(problemsOf([...first, ...next(2, 4)]).join()).toMatch(/locks: not linearizable/)
    expect(problemsOf([...first, ...next(0, 9)]).join()).toMatch(/locks: not linearizable/)
  })

  test('a write with a lower token than one before is not accepted', () => {
    const write = (token: number, output: boolean, at: readonly [number, number]) => {
      const data = `${token} ${at[0]}`
      return call('m', { kind: 'write', lock: 'a', token, data }, { type: 'answered', output }, at)
    }
    const changes = new Map([
      ['2 1', 1],
      ['1 3', 2],
    ])
    const accepted = write(2, true, [1, 2])
    expect(
      problemsOf([...accepted, ...write(1, false, [3, 4])], { changes: new Map([['2 1', 1]]) }),
    ).toEqual([])
    const both = [...accepted, ...write(1, true, [3, 4])]
    expect(problemsOf(both, { changes })[0]).toMatch(/locks: not linearizable/)
  })

  test('an epoch has one leader', () => {
    const leader = (id: string, epoch: number, at: number) =>
      tenure([id, '/election', epoch], [at, at + 1, at + 2, at + 3])
    const observed = (leader: string): ChaosEvent => {
      return { kind: 'observed', member: 'm', leader, epoch: 1, calledAt: 3, at: 4 }
    }
    const led = leader('t1', 1, 1)
    expect(problemsOf([...led, ...leader('t2', 2, 6), observed('t1')])).toEqual([])
    expect(problemsOf([...led, ...leader('t2', 1, 6)]).join()).toMatch(/both led in epoch 1/)
    expect(problemsOf([...led, observed('t3')]).join()).toMatch(/both led in epoch 1/)
  })

  test('nobody is certain after a later one was, also if the session expired', () => {
    const later = tenure(['t2', '/election', 2], [3, 10, 12])
    expect(problemsOf([...tenure(['t1', '/election', 1], [1, 2, 9]), ...later])).toEqual([])
    const both = problemsOf([...tenure(['t1', '/election', 1], [1, 2, 11]), ...later])
    expect(both.join('\n')).toMatch(/t1 was certain 1 us after t2 was/)
  })
})

describe('the log', () => {
  const entriesAt = (...times: readonly number[]) =>
    times.map((wallMs, at) => ({ member: at === 0 ? 'm1' : 'm2', wallMs }))
  const expiry = (entry: number) => [{ name: 's', timeoutMs: 4000, member: 'm1', entry }]

  test('a session expires only when its member was not heard for its timeout', () => {
    const entries = entriesAt(0, 1000, 2000, 3000, 4100)
    expect(problemsOf([], { entries, expiries: expiry(4) })).toEqual([])
    expect(problemsOf([], { entries, expiries: expiry(3) })[0]).toMatch(/was heard 3000 ms before/)
  })

  test('a pause of the log does not count', () => {
    const entries = entriesAt(0, 1000, 9000, 10_000)
    const [problem] = problemsOf([], { entries, expiries: expiry(3) })
    expect(problem).toMatch(/3200 ms without pauses/)
  })

  test('a watch misses nothing', () => {
    const missed: ChaosEvent = { kind: 'missed', member: 'm', message: 'version 1 to 3', at: 1 }
    expect(problemsOf([missed])).toEqual(['m: version 1 to 3'])
  })

  test('no member reports damage', () => {
    const status = (status: 'suspended' | 'damaged'): ChaosEvent => {
      return { kind: 'status', member: 'm', status, problem: 'why', at: 1 }
    }
    expect(problemsOf([status('suspended')])).toEqual([])
    expect(problemsOf([status('damaged')])).toEqual(['m reported damage: why'])
    expect(problemsOf([], { problems: ['the log ends at 3'] })).toHaveLength(1)
  })
})
