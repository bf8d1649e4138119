// The linearizability checker: histories of the literature, agreement with trying every order, and
// what it says about a failure.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import { ConcurrentRecorder, linearizationText } from './concurrentRecorder.ts'
import { type ConcurrentOperation, checkLinearizable } from './linearizable.ts'
import { type RegisterInput, type RegisterOutput, registerModel } from './registerModel.ts'

type RegisterOperation = ConcurrentOperation<RegisterInput, RegisterOutput>

const never = Number.POSITIVE_INFINITY

function write(
  client: string,
  value: number,
  calledAt: number,
  returnedAt: number,
): RegisterOperation {
  const output = returnedAt === never ? undefined : true
  return { client, input: { kind: 'write', value }, output, calledAt, returnedAt }
}

function read(
  client: string,
  output: number,
  calledAt: number,
  returnedAt: number,
): RegisterOperation {
  return { client, input: { kind: 'read' }, output, calledAt, returnedAt }
}

function cas(
  client: string,
  [from, to]: [number, number],
  output: boolean | undefined,
  calledAt: number,
  returnedAt: number,
): RegisterOperation {
  return { client, input: { kind: 'cas', from, to }, output, calledAt, returnedAt }
}

function outcome(...operations: RegisterOperation[]): string {
  return checkLinearizable(registerModel, operations).outcome
}

describe('a register', () => {
  test('no operations are linearizable', () => {
    expect(outcome()).toBe('linearizable')
  })

  test('a read that overlaps a write sees it or does not', () => {
    expect(outcome(write('a', 1, 0, 10), read('b', 0, 2, 4))).toBe('linearizable')
    expect(outcome(write('a', 1, 0, 10), read('b', 1, 2, 4))).toBe('linearizable')
    expect(outcome(write('a', 1, 0, 10), read('b', 2, 2, 4))).toBe('not linearizable')
  })

  test('stale read: a write that returned is seen', () => {
    expect(outcome(write('a', 1, 0, 1), read('b', 0, 2, 3))).toBe('not linearizable')
    expect(outcome(write('a', 1, 0, 2), read('b', 0, 2, 3))).toBe('linearizable')
  })

  test('reordered reads: what one read saw, the next one does not unsee', () => {
    const writing = write('a', 1, 0, 10)
    expect(outcome(writing, read('b', 1, 1, 2), read('c', 0, 3, 4))).toBe('not linearizable')
    expect(outcome(writing, read('b', 0, 1, 2), read('c', 1, 3, 4))).toBe('linearizable')
    expect(outcome(writing, read('b', 1, 1, 3), read('c', 0, 3, 4))).toBe('linearizable')
  })

  test('lost update: of two compare-and-sets from one value, one fails', () => {
    const both = (second: boolean) =>
      outcome(cas('a', [0, 1], true, 0, 3), cas('b', [0, 2], second, 1, 2))
    expect(both(true)).toBe('not linearizable')
    expect(both(false)).toBe('linearizable')
  })

  test('Herlihy and Wing: two writes and two readers that disagree on their order', () => {
    const writes = [write('a', 1, 0, 10), write('b', 2, 0, 10)]
    const readers = (first: number, second: number) => [
      read('c', first, 11, 12),
      read('d', second, 13, 14),
    ]
    expect(outcome(...writes, ...readers(2, 2))).toBe('linearizable')
    expect(outcome(...writes, ...readers(2, 1))).toBe('not linearizable')
  })

  test('a write that did not return happens at any later time, or never', () => {
    const lost = write('a', 1, 0, never)
    expect(outcome(lost, read('b', 0, 5, 6), read('b', 1, 7, 8))).toBe('linearizable')
    expect(outcome(lost, read('b', 0, 5, 6), read('b', 0, 7, 8))).toBe('linearizable')
    expect(outcome(lost, read('b', 1, 5, 6), read('b', 0, 7, 8))).toBe('not linearizable')
    expect(outcome(read('b', 1, 0, 1), write('a', 1, 2, never))).toBe('not linearizable')
  })

  test('keys are independent of each other', () => {
    const one = { ...write('a', 1, 0, 1), input: { kind: 'write', value: 1, key: 'x' } as const }
    expect(outcome(one, read('b', 0, 2, 3))).toBe('linearizable')
  })
})

describe('a failure', () => {
  test('names the longest order that was found, and what cannot follow', () => {
    const first = write('a', 1, 0, 1)
    const stale = read('c', 0, 4, 5)
    const result = checkLinearizable(registerModel, [first, read('b', 1, 2, 3), stale])
    expect(result.failure?.prefix).toEqual([first, read('b', 1, 2, 3)])
    expect(result.failure?.misplaced).toEqual(stale)
    expect(linearizationText(result)).toBe(
      'not linearizable (3 steps)\n' +
        '  a: {"kind":"write","value":1} -> true [0, 1]\n' +
        '  b: {"kind":"read"} -> 1 [2, 3]\n' +
        'then nothing allows:\n' +
        '  c: {"kind":"read"} -> 0 [4, 5]\n',
    )
  })

  test('a search that takes too long is not decided', () => {
    const operations = Array.from({ length: 12 }, (_, id) => write(`w${id}`, id, 0, 100))
    const result = checkLinearizable(registerModel, [...operations, read('r', 99, 101, 102)], 1000)
    expect(result.outcome).toBe('unknown')
    expect(result.steps).toBe(1000)
    expect(result.failure?.misplaced).toBeUndefined()
  })
})

describe('many operations', () => {
  const most = 10_000

  test('ten clients on one register, some of whose operations never return', () => {
    for (const losses of [0, 50]) {
      const result = checkLinearizable(
        registerModel,
        registerHistory(seededRandom(7), most, losses),
      )
      expect(result.outcome).toBe('linearizable')
      expect(result.steps).toBeLessThan(200 * most)
    }
  })

  test('one wrong read is found, by its name', () => {
    const operations = registerHistory(seededRandom(7), 2000, 0)
    const at = operations.findIndex(
      ({ input, calledAt }) => input.kind === 'read' && calledAt > 3000,
    )
    const wrong = { ...operations[at]!, output: 99 }
    const result = checkLinearizable(registerModel, operations.with(at, wrong))
    expect(result.outcome).toBe('not linearizable')
    expect(result.failure?.misplaced).toBe(wrong)
    expect(result.failure?.prefix.length).toBeGreaterThan(1400)
  })
})

/** What ten clients of a right register see; `losses`: of a thousand operations, not answered. */
function registerHistory(random: Random, most: number, losses: number): RegisterOperation[] {
  const recorder = new ConcurrentRecorder<RegisterInput, RegisterOutput>()
  const clients = Array.from({ length: 10 }, (_, client) => registerClient(`c${client}`))
  let state = 0
  let count = 0
  function* registerClient(client: string): Generator<undefined, void, undefined> {
    for (;;) {
      const input = registerInput(random)
      const call = recorder.begin(client, input)
      yield
      const output = outputOf(state, input)
      state = registerModel.step(state, input, output)!.state
      yield
      if (random.below(1000) >= losses) call.ok(output)
      count++
    }
  }
  while (count < most) clients[random.below(clients.length)]!.next()
  return [...recorder.operations]
}

function registerInput(random: Random): RegisterInput {
  const kind = (['read', 'write', 'cas'] as const)[random.below(3)]!
  if (kind === 'read') return { kind }
  if (kind === 'write') return { kind, value: random.below(5) }
  return { kind, from: random.below(5), to: random.below(5) }
}

function outputOf(state: number, input: RegisterInput): RegisterOutput {
  if (input.kind === 'read') return state
  return input.kind === 'write' || input.from === state
}

describe('against every order', () => {
  const value = fc.integer({ min: 0, max: 2 })
  const times = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 6 }), fc.nat(5))
  const operation = fc
    .tuple(fc.constantFrom('read', 'write', 'cas'), value, value, fc.boolean(), times)
    .map(([kind, one, other, isDone, [at, length, loss]]): RegisterOperation => {
      const returnedAt = loss === 0 ? never : at + length
      if (kind === 'write') return write('a', one, at, returnedAt)
      const done =
        kind === 'read'
          ? read('a', one, at, returnedAt)
          : cas('a', [one, other], isDone, at, returnedAt)
      return returnedAt === never ? { ...done, output: undefined } : done
    })

  test('the checker agrees with trying all orders of up to six operations', () => {
    let linearizable = 0
    let others = 0
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 6 }), (operations) => {
        const expected = hasOrder(operations, registerModel.init(''))
        expect(outcome(...operations) === 'linearizable').toBe(expected)
        if (expected) linearizable++
        else others++
      }),
      { numRuns: 5000 },
    )
    // Both answers are asked for often.
    expect(Math.min(linearizable, others)).toBeGreaterThan(500)
  })

  /** Tries every operation that may come next: no other has returned before it was called. */
  function hasOrder(left: readonly RegisterOperation[], state: number): boolean {
    if (left.every(({ returnedAt }) => returnedAt === never)) return true
    return left.some((operation) => {
      const others = left.filter((other) => other !== operation)
      if (others.some(({ returnedAt }) => returnedAt < operation.calledAt)) return false
      const next = registerModel.step(state, operation.input, operation.output)
      return next !== undefined && hasOrder(others, next.state)
    })
  }
})
