// The models of coordination: what ZooKeeper's rules allow, and what they do not.

import { describe, expect, test } from 'vitest'
import { ConcurrentRecorder } from './concurrentRecorder.ts'
import {
  type ElectionInput,
  type ElectionOutput,
  electionModel,
  electionProblems,
  type LockInput,
  type LockOutput,
  lockModel,
  type NodeInput,
  type NodeOutput,
  nodeModel,
} from './coordinationModel.ts'
import { checkLinearizable, type Model } from './linearizable.ts'

/** One after the other; an output `'none'` was not answered. */
function outcome<State, Input, Output>(
  model: Model<State, Input, Output>,
  ...calls: [Input, Output | 'none'][]
): string {
  const recorder = new ConcurrentRecorder<Input, Output>()
  for (const [input, output] of calls) {
    const call = recorder.begin('c', input)
    if (output !== 'none') call.ok(output)
  }
  return checkLinearizable(model, recorder.operations).outcome
}

describe('a node', () => {
  const create: NodeInput = { path: '/a', kind: 'create', data: 'x' }
  const get: NodeInput = { path: '/a', kind: 'get' }
  const set = (version?: number): NodeInput =>
    version === undefined
      ? { path: '/a', kind: 'set', data: 'y' }
      : { path: '/a', kind: 'set', data: 'y', version }
  const made: [NodeInput, NodeOutput] = [create, { version: 0, zxid: 5 }]

  test('a version counts the changes of a node, and begins anew with it', () => {
    const remove: NodeInput = { path: '/a', kind: 'delete' }
    const again: [NodeInput, NodeOutput] = [create, { version: 0, zxid: 9 }]
    expect(outcome(nodeModel, made, [set(0), { version: 1, zxid: 7 }])).toBe('linearizable')
    expect(outcome(nodeModel, made, [set(0), { version: 2, zxid: 7 }])).toBe('not linearizable')
    expect(outcome(nodeModel, made, [remove, {}], again)).toBe('linearizable')
    expect(outcome(nodeModel, made, again)).toBe('not linearizable')
  })

  test('what is refused is refused for its reason', () => {
    expect(outcome(nodeModel, made, [create, { error: 'NODE_EXISTS' }])).toBe('linearizable')
    expect(outcome(nodeModel, [create, { error: 'NODE_EXISTS' }])).toBe('not linearizable')
    expect(outcome(nodeModel, made, [set(3), { error: 'BAD_VERSION' }])).toBe('linearizable')
    expect(outcome(nodeModel, made, [set(0), { error: 'BAD_VERSION' }])).toBe('not linearizable')
    expect(outcome(nodeModel, [get, { error: 'NO_NODE' }], made)).toBe('linearizable')
    expect(outcome(nodeModel, made, [get, { error: 'NO_NODE' }])).toBe('not linearizable')
  })

  test('a read after a sync sees the last change, with its zxid', () => {
    const read = (data: string, zxid: number): [NodeInput, NodeOutput] => [get, { data, zxid }]
    const changed: [NodeInput, NodeOutput] = [set(), { version: 1, zxid: 7 }]
    expect(outcome(nodeModel, made, changed, read('y', 7))).toBe('linearizable')
    expect(outcome(nodeModel, made, changed, read('x', 5))).toBe('not linearizable')
    expect(outcome(nodeModel, made, changed, read('y', 8))).toBe('not linearizable')
    expect(outcome(nodeModel, made, [set(), { version: 1, zxid: 4 }])).toBe('not linearizable')
  })

  test('a change that was not answered happened or did not, but once', () => {
    const read = (data: string, zxid: number): [NodeInput, NodeOutput] => [get, { data, zxid }]
    expect(outcome(nodeModel, made, [set(0), 'none'], read('x', 5))).toBe('linearizable')
    expect(outcome(nodeModel, made, [set(0), 'none'], read('y', 6))).toBe('linearizable')
    expect(outcome(nodeModel, made, [set(0), 'none'], read('y', 6), read('x', 5))).toBe(
      'not linearizable',
    )
    expect(outcome(nodeModel, made, [set(0), 'none'], [set(0), { version: 1 }])).toBe(
      'linearizable',
    )
    expect(outcome(nodeModel, made, [set(0), 'none'], [set(0), { version: 2 }])).toBe(
      'not linearizable',
    )
  })
})

describe('a lock', () => {
  type Call = [LockInput, LockOutput | 'none']
  const acquire = (session: string, output: LockOutput | 'none'): Call => [
    { lock: 'l', kind: 'acquire', session },
    output,
  ]
  const release = (session: string, output: LockOutput): Call => [
    { lock: 'l', kind: 'release', session },
    output,
  ]
  const expire = (session: string): Call => [{ lock: 'l', kind: 'expire', session }, true]
  const written = (token: number, output: boolean): Call => [
    { lock: 'l', kind: 'write', token },
    output,
  ]

  test('split brain: a lock has one holder', () => {
    expect(outcome(lockModel, acquire('a', 1), acquire('b', 2))).toBe('not linearizable')
    expect(outcome(lockModel, acquire('a', 1), release('a', true), acquire('b', 2))).toBe(
      'linearizable',
    )
    expect(outcome(lockModel, acquire('a', 1), expire('a'), acquire('b', 2))).toBe('linearizable')
    expect(outcome(lockModel, acquire('a', 1), expire('b'), acquire('b', 2))).toBe(
      'not linearizable',
    )
    expect(outcome(lockModel, acquire('a', 1), acquire('b', false))).toBe('linearizable')
    expect(outcome(lockModel, acquire('b', false))).toBe('not linearizable')
  })

  test('fencing tokens rise', () => {
    const second = (token: number) =>
      outcome(lockModel, acquire('a', 5), release('a', true), acquire('b', token))
    expect(second(6)).toBe('linearizable')
    expect(second(5)).toBe('not linearizable')
  })

  test('a holder whose session expired does not find the lock held, and its writes are refused', () => {
    const after = [acquire('a', 1), expire('a'), acquire('b', 2)]
    expect(outcome(lockModel, ...after, release('a', false))).toBe('linearizable')
    expect(outcome(lockModel, ...after, release('a', true))).toBe('not linearizable')
    expect(outcome(lockModel, ...after, written(2, true), written(1, false))).toBe('linearizable')
    expect(outcome(lockModel, ...after, written(2, true), written(1, true))).toBe(
      'not linearizable',
    )
  })

  test('an acquisition that was not answered may hold the lock', () => {
    expect(outcome(lockModel, acquire('a', 'none'), acquire('b', false))).toBe('linearizable')
    expect(outcome(lockModel, acquire('a', 'none'), acquire('b', 2))).toBe('linearizable')
    expect(outcome(lockModel, acquire('a', 'none'), acquire('b', false), acquire('c', 2))).toBe(
      'not linearizable',
    )
  })
})

describe('an election', () => {
  type Call = [ElectionInput, ElectionOutput | 'none']
  const elect = (candidate: string, epoch: number): Call => [
    { kind: 'elect', candidate },
    { epoch },
  ]
  const resign = (candidate: string): Call => [{ kind: 'resign', candidate }, { epoch: 0 }]
  const observe = (leader: string | undefined, epoch: number): Call => [
    { kind: 'observe', candidate: 'o' },
    { leader, epoch },
  ]

  test('there is one leader, and epochs rise', () => {
    expect(outcome(electionModel, elect('a', 1), resign('a'), elect('b', 2))).toBe('linearizable')
    expect(outcome(electionModel, elect('a', 1), elect('b', 2))).toBe('not linearizable')
    expect(outcome(electionModel, elect('a', 1), resign('a'), elect('b', 1))).toBe(
      'not linearizable',
    )
  })

  test('an observer sees the leader with its epoch', () => {
    expect(outcome(electionModel, elect('a', 1), observe('a', 1))).toBe('linearizable')
    expect(outcome(electionModel, elect('a', 1), observe('a', 2))).toBe('not linearizable')
    expect(outcome(electionModel, elect('a', 1), observe('b', 1))).toBe('not linearizable')
    const unanswered: Call = [{ kind: 'elect', candidate: 'a' }, 'none']
    expect(outcome(electionModel, unanswered, observe('a', 4))).toBe('linearizable')
  })

  function problems(...calls: Call[]): string[] {
    const recorder = new ConcurrentRecorder<ElectionInput, ElectionOutput>()
    for (const [input, output] of calls) recorder.begin('c', input).ok(output as ElectionOutput)
    return electionProblems(recorder.operations)
  }

  test('an epoch has one leader, seen by whomever', () => {
    expect(problems(elect('a', 1), observe('a', 1), elect('b', 2), observe('b', 2))).toEqual([])
    expect(problems(elect('a', 1), observe('b', 1))).toEqual(['a and b both led in epoch 1'])
    expect(problems(elect('a', 1), elect('a', 1))).toContain('a was elected twice in epoch 1')
  })

  test('the epochs of elections that follow each other rise', () => {
    expect(problems(elect('a', 3), elect('b', 2))).toEqual([
      'b was elected in epoch 2 after a had been in epoch 3',
    ])
    const overlapping = new ConcurrentRecorder<ElectionInput, ElectionOutput>()
    const first = overlapping.begin('a', { kind: 'elect', candidate: 'a' })
    overlapping.begin('b', { kind: 'elect', candidate: 'b' }).ok({ epoch: 2 })
    first.ok({ epoch: 1 })
    expect(electionProblems(overlapping.operations)).toEqual([])
  })
})
