import { beforeEach, describe, expect, test } from 'vitest'
import { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'
import {
  maxDataBytes,
  maxOperations,
  maxTransactionBytes,
  type NodeStat,
  type Operation,
} from '../../../../protocol/coordination/tree/operation.ts'
import {
  applied,
  check,
  close,
  create,
  entry,
  open,
  remove,
  set,
  transact,
  transaction,
} from './entries.ts'

const generation = 3
const base = generation * 2 ** 40

let state: CoordinationState

beforeEach(() => {
  state = CoordinationState.create(generation)
})

/** Refuses with the code; nothing but the zxid has changed. */
function expectRefused(operations: Operation[], error: string, message: string, session?: string) {
  const before = CoordinationState.restore(state.snapshot())
  const outcome = transact(state, operations, session)
  expect(outcome).toMatchObject({ error, zxid: before.zxid + 1 })
  expect('message' in outcome && outcome.message).toContain(message)
  // The same zxid by a transaction without effect: everything else is equal.
  transact(before, [])
  expect(state.snapshot().equals(before.snapshot())).toBe(true)
  return outcome
}

describe('create', () => {
  test('creates a node with version 0 and the zxid and time of its transaction', () => {
    const outcome = transact(state, [create('/a', 'data')])
    const stat: NodeStat = {
      createdZxid: base + 1,
      modifiedZxid: base + 1,
      childrenZxid: base + 1,
      version: 0,
      childrenVersion: 0,
      ephemeralOwner: undefined,
      createdMs: 1000,
      modifiedMs: 1000,
      dataBytes: 4,
      childCount: 0,
    }
    expect(outcome).toEqual({ zxid: base + 1, results: [{ path: '/a', stat }] })
    expect(state.get('/a')).toEqual({ data: Buffer.from('data'), stat })
    expect(state.children('/')).toEqual(['a'])
  })

  test('counts at the parent, and at no ancestor above it', () => {
    transact(state, [create('/a')])
    transact(state, [create('/a/b')])
    transact(state, [create('/a/c'), create('/a/c/d')])
    expect(state.exists('/a')).toMatchObject({
      childrenZxid: base + 3,
      childrenVersion: 2,
      childCount: 2,
      version: 0,
      modifiedZxid: base + 1,
    })
    expect(state.exists('/')).toMatchObject({ childrenVersion: 1, childrenZxid: base + 1 })
  })

  test('is refused for a node that exists', () => {
    transact(state, [create('/a')])
    expectRefused([create('/a')], 'NODE_EXISTS', 'create /a: the node exists')
    expectRefused([create('/')], 'NODE_EXISTS', 'create /: the root always exists')
  })

  test('is refused without a parent, whose path the message has', () => {
    expectRefused([create('/a/b/c')], 'NO_NODE', 'create /a/b/c: the parent /a/b does not exist')
  })

  test('names its children in order', () => {
    transact(state, [create('/b'), create('/a'), create('/ab'), create('/é'), create('/B')])
    expect(state.children('/')).toEqual(['B', 'a', 'ab', 'b', 'é'])
    expect(state.children('/a')).toEqual([])
    expect(state.children('/none')).toBeUndefined()
  })
})

describe('a sequential node', () => {
  const sequential = (path: string) => create(path, '', { isSequential: true })

  function createdPath(path: string): string {
    const outcome = transact(state, [sequential(path)])
    return 'results' in outcome ? outcome.results[0]!.path : outcome.message
  }

  test('gets the next number of its parent, whatever its prefix', () => {
    transact(state, [create('/q')])
    expect(createdPath('/q/n-')).toBe('/q/n-0000000000')
    expect(createdPath('/q/other-')).toBe('/q/other-0000000001')
    expect(createdPath('/q/')).toBe('/q/0000000002')
    expect(createdPath('/n-')).toBe('/n-0000000000')
  })

  test('gets a number that no earlier one had, also after that was deleted, and after a restart', () => {
    transact(state, [create('/q')])
    createdPath('/q/n-')
    createdPath('/q/n-')
    transact(state, [remove('/q/n-0000000001')])
    state = CoordinationState.restore(state.snapshot())
    expect(createdPath('/q/n-')).toBe('/q/n-0000000002')
  })

  test('passes over a name that somebody created without a number', () => {
    transact(state, [create('/n-0000000000'), create('/n-0000000001')])
    expect(createdPath('/n-')).toBe('/n-0000000002')
    expect(createdPath('/n-')).toBe('/n-0000000003')
  })

  test('whose transaction is refused uses up no number', () => {
    expectRefused([sequential('/n-'), remove('/none')], 'NO_NODE', 'delete /none')
    expect(createdPath('/n-')).toBe('/n-0000000000')
  })

  test('has a path within the limit with its number', () => {
    expectRefused([sequential(`/${'a'.repeat(1014)}`)], 'BAD_ARGUMENTS', 'at most 1024 bytes')
    expect(createdPath(`/${'a'.repeat(1013)}`)).toHaveLength(1024)
  })
})

describe('set', () => {
  test('changes data, version, zxid and time of the change', () => {
    transact(state, [create('/a', 'old')])
    applied(state, entry([transaction([set('/a', 'newer', 0)])], { wallMs: 2000 }))
    expect(state.get('/a')).toMatchObject({
      data: Buffer.from('newer'),
      stat: { version: 1, createdZxid: base + 1, modifiedZxid: base + 2, modifiedMs: 2000 },
    })
    expect(state.exists('/a')).toMatchObject({ createdMs: 1000, childrenZxid: base + 1 })
  })

  test('is refused with another version, which the message has', () => {
    transact(state, [create('/a')])
    transact(state, [set('/a', 'x')])
    expectRefused([set('/a', 'y', 0)], 'BAD_VERSION', 'set /a: the node has version 1, not 0')
    expectRefused([set('/a', 'y', -1)], 'BAD_VERSION', 'not -1')
    expectRefused([set('/a', 'y', Number.NaN)], 'BAD_VERSION', 'not NaN')
    expectRefused([set('/b', 'y')], 'NO_NODE', 'set /b: the node does not exist')
  })

  test('also changes the root', () => {
    transact(state, [set('/', 'x')])
    expect(state.get('/')).toMatchObject({ data: Buffer.from('x'), stat: { version: 1 } })
  })

  test.each([0, 100, 4096, 4097, 100_000])(
    'keeps %d bytes, whatever their values, and copies them',
    (n) => {
      const data = Buffer.from(Array.from({ length: n }, (_, index) => (index * 7) % 256))
      const given = Buffer.from(data)
      transact(state, [create('/a'), { type: 'set', path: '/a', data: given }])
      given.fill(0)
      expect(data.equals(state.get('/a')!.data)).toBe(true)
      const restored = CoordinationState.restore(state.snapshot()).get('/a')!
      expect(data.equals(restored.data)).toBe(true)
    },
  )
})

describe('delete', () => {
  test('deletes a node with the expected version, and counts at the parent', () => {
    transact(state, [create('/a')])
    const outcome = transact(state, [remove('/a', 0)])
    expect(outcome).toEqual({ zxid: base + 2, results: [{ path: '/a', stat: undefined }] })
    expect(state.exists('/a')).toBeUndefined()
    expect(state.exists('/')).toMatchObject({
      childrenVersion: 2,
      childrenZxid: base + 2,
      childCount: 0,
    })
  })

  test('is refused for a node with children, for another version, for no node and for the root', () => {
    transact(state, [create('/a'), create('/a/b')])
    expectRefused([remove('/a')], 'NOT_EMPTY', 'delete /a: the node has children')
    expectRefused([remove('/a/b', 1)], 'BAD_VERSION', 'delete /a/b: the node has version 0, not 1')
    expectRefused([remove('/c')], 'NO_NODE', 'delete /c: the node does not exist')
    transact(state, [remove('/a/b'), remove('/a')])
    expectRefused([remove('/')], 'BAD_ARGUMENTS', 'delete /: the root always exists')
  })
})

describe('check', () => {
  test('succeeds for a node with the version, and changes nothing', () => {
    transact(state, [create('/a')])
    const outcome = transact(state, [check('/a', 0), check('/a')])
    expect(outcome).toMatchObject({ results: [{ path: '/a' }, { path: '/a' }] })
    expect(state.exists('/a')).toMatchObject({ version: 0, modifiedZxid: base + 1 })
  })

  test('is refused without the node or the version', () => {
    expectRefused([check('/a')], 'NO_NODE', 'check /a: the node does not exist')
    transact(state, [create('/a')])
    expectRefused([check('/a', 4)], 'BAD_VERSION', 'check /a: the node has version 0, not 4')
  })
})

describe('a transaction', () => {
  test('sees in each operation what those before it did', () => {
    const operations = [create('/a'), create('/a/b'), set('/a/b', 'x', 0), check('/a/b', 1)]
    const step = applied(state, entry([transaction([...operations, remove('/a/b', 1)])]))[0]!
    expect(step.outcome).toMatchObject({ results: [{}, {}, { stat: { version: 1 } }, {}, {}] })
    expect(step.events).toEqual([
      { type: 'created', path: '/a', zxid: base + 1 },
      { type: 'created', path: '/a/b', zxid: base + 1 },
      { type: 'changed', path: '/a/b', zxid: base + 1 },
      { type: 'deleted', path: '/a/b', zxid: base + 1 },
    ])
  })

  test('has no effect and no events if any operation is refused, whose index it has', () => {
    transact(state, [create('/a', 'old'), create('/a/b'), create('/e')])
    const operations = [
      set('/a', 'new'),
      remove('/a/b'),
      create('/a/c'),
      create('/a/b', 'again'),
      remove('/e'),
      create('/a/n', '', { isSequential: true }),
    ]
    const outcome = expectRefused([...operations, check('/none')], 'NO_NODE', 'check /none')
    expect(outcome).toMatchObject({ operation: 6 })
    const refused = transaction([set('/a', 'x'), check('/none')])
    expect(applied(state, entry([refused]))[0]!.events).toEqual([])
  })

  test('without operations succeeds', () => {
    expect(transact(state, [])).toEqual({ zxid: base + 1, results: [] })
  })

  test('has its own zxid, also when it is refused', () => {
    const steps = applied(
      state,
      entry([transaction([remove('/none')]), transaction([]), close('none'), open('s')]),
    )
    const zxids = steps.map((step) => step.outcome!.zxid)
    expect(zxids).toEqual([base + 1, base + 2, base + 3, base + 4])
    expect(state.zxid).toBe(base + 4)
  })

  test('is applied when the state has it and none after it', () => {
    const requests = [create('/a'), create('/b'), create('/c')].map((each) => transaction([each]))
    const seen: (string[] | undefined)[] = []
    state.apply(entry(requests), () => seen.push(state.children('/')))
    expect(seen).toEqual([['a'], ['a', 'b'], ['a', 'b', 'c']])
  })

  test('is refused beyond the limits of data, operations and bytes', () => {
    const tooMuch: Operation = { type: 'create', path: '/a', data: Buffer.alloc(maxDataBytes + 1) }
    expectRefused([tooMuch], 'BAD_ARGUMENTS', 'bytes of paths and data')
    const many = Array<Operation>(maxOperations + 1).fill(check('/'))
    expect(expectRefused(many, 'BAD_ARGUMENTS', '10001 operations')).toMatchObject({
      operation: -1,
    })
    const fits: Operation = {
      type: 'create',
      path: '/a',
      data: Buffer.alloc(maxTransactionBytes - 2),
    }
    const over = [fits, check('/')]
    expectRefused(over, 'BAD_ARGUMENTS', `${maxTransactionBytes + 1} bytes`)
    expect(transact(state, [fits])).toHaveProperty('results')
  })

  test('is refused for a path that is not allowed, with the reason', () => {
    expectRefused([create('a')], 'BAD_ARGUMENTS', 'create a: a path starts with "/"')
    expectRefused([check('/a/../b')], 'BAD_ARGUMENTS', 'check /a/../b: a path has no component')
  })
})

describe('zxids', () => {
  test('of the next generation are above all earlier ones', () => {
    transact(state, [create('/a')])
    state.beginGeneration(5)
    expect(state.generation).toBe(5)
    expect(transact(state, [create('/b')]).zxid).toBe(5 * 2 ** 40 + 1)
    expect(state.exists('/a')!.createdZxid).toBe(base + 1)
    expect(() => state.beginGeneration(5)).toThrow('a repair raises the generation')
    expect(() => state.beginGeneration(2 ** 13)).toThrow('at most 8191')
  })
})

test('reads of a path that is not allowed find nothing', () => {
  transact(state, [create('/a'), create('/a/b')])
  for (const path of ['', 'a', '/a/', '//a', '/a//b', 'xa', '/a/b/', '/.']) {
    expect([state.get(path), state.exists(path), state.children(path)]).toEqual(Array(3))
  }
})
