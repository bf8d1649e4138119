// Entries for tests of the fold: short ways to write one, and arbitrary ones over few paths,
// sessions and members, so that random operations meet each other.

import fc from 'fast-check'
import type {
  AppliedRequest,
  CoordinationState,
} from '../../../../protocol/coordination/tree/coordinationState.ts'
import type {
  Operation,
  TransactionOutcome,
} from '../../../../protocol/coordination/tree/operation.ts'
import type { Entry, Request } from '../../../../protocol/coordination/tree/proposal.ts'

type Create = Extract<Operation, { type: 'create' }>
type Kind = Pick<Create, 'isEphemeral' | 'isSequential'>

export function create(path: string, data = '', kind: Kind = {}): Operation {
  return { type: 'create', path, data: Buffer.from(data), ...kind }
}

export function set(path: string, data: string, version?: number): Operation {
  return { type: 'set', path, data: Buffer.from(data), ...(version !== undefined && { version }) }
}

export function remove(path: string, version?: number): Operation {
  return { type: 'delete', path, ...(version !== undefined && { version }) }
}

export function check(path: string, version?: number): Operation {
  return { type: 'check', path, ...(version !== undefined && { version }) }
}

export function open(session: string, timeoutMs = 6000): Request {
  return { type: 'openSession', session, timeoutMs, name: `holder of ${session}` }
}

export function close(session: string): Request {
  return { type: 'closeSession', session }
}

export function transaction(operations: Operation[], session?: string): Request {
  return { type: 'transaction', session, operations }
}

export function entry(requests: Request[], fields: Partial<Entry> = {}): Entry {
  return { member: 'one', number: 1, stepMs: 0, wallMs: 1000, requests, ...fields }
}

export function applied(state: CoordinationState, given: Entry): AppliedRequest[] {
  const steps: AppliedRequest[] = []
  state.apply(given, (step) => steps.push(step))
  return steps
}

/** Applies one transaction and returns its outcome. */
export function transact(
  state: CoordinationState,
  operations: Operation[],
  session?: string,
): TransactionOutcome {
  return applied(state, entry([transaction(operations, session)])).at(-1)!.outcome!
}

/** All paths of the tree, in order. */
export function pathsOf(state: Pick<CoordinationState, 'children'>, path = '/'): string[] {
  const below = (state.children(path) ?? []).map((name) => `${path === '/' ? '' : path}/${name}`)
  return [path, ...below.flatMap((child) => pathsOf(state, child))]
}

/** Few, and the parents most: a transaction seldom succeeds if any of its paths is unlikely. */
const paths = fc.constantFrom(
  ...['/a', '/a', '/a', '/b', '/b', '/a/x', '/a/x', '/a/x', '/a/y', '/b/x', '/a/x/deep', '/'],
  ...['/n-0000000000', '/n-0000000001', '/c//d'],
)
const sequentialPaths = fc.constantFrom('/n-', '/a/', '/a/x/n-', '/b/x')
const data = fc.oneof(
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(Buffer.alloc(4096, 7), Buffer.alloc(4097, 200)),
)
const expectedVersion = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ version: fc.integer({ min: -1, max: 2 }) }) },
)
const sessions = fc.constantFrom('s1', 's2', 's3', 's4')
const isSeldom = fc.integer({ min: 0, max: 3 }).map((value) => value === 3)

const creation: fc.Arbitrary<Operation> = fc
  .tuple(paths, sequentialPaths, data, isSeldom, isSeldom)
  .map(([path, prefix, bytes, isEphemeral, isSequential]) => {
    const kind = { isEphemeral, isSequential }
    return { type: 'create', path: isSequential ? prefix : path, data: bytes, ...kind }
  })
const change: fc.Arbitrary<Operation> = fc
  .tuple(paths, data, expectedVersion)
  .map(([path, bytes, version]) => ({ type: 'set', path, data: bytes, ...version }))
const other: fc.Arbitrary<Operation> = fc
  .tuple(
    fc.constantFrom('delete' as const, 'delete' as const, 'check' as const),
    paths,
    expectedVersion,
  )
  .map(([type, path, version]) => ({ type, path, ...version }))
const operation = fc.oneof(creation, change, other)

const opening: fc.Arbitrary<Request> = fc
  .tuple(sessions, fc.constantFrom(3000, 3000, 4000.5, 6000, 2999), fc.constantFrom('', 'somebody'))
  .map(([session, timeoutMs, name]) => ({ type: 'openSession', session, timeoutMs, name }))
const closing: fc.Arbitrary<Request> = sessions.map(close)
const transacting: fc.Arbitrary<Request> = fc
  .tuple(
    fc.option(sessions, { nil: undefined, freq: 2 }),
    fc.oneof(fc.tuple(operation), fc.tuple(operation), fc.array(operation, { maxLength: 4 })),
  )
  .map(([session, operations]) => transaction(operations, session))

export const arbitraryEntry: fc.Arbitrary<Entry> = fc.record({
  member: fc.constantFrom('one', 'two', 'three'),
  number: fc.nat(),
  stepMs: fc.constantFrom(0, 0, 0.25, 500, 1200, 1200, 90_000),
  wallMs: fc.nat(),
  requests: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: opening },
      { weight: 1, arbitrary: closing },
      { weight: 12, arbitrary: transacting },
    ),
    { maxLength: 4 },
  ),
})

/** An entry to begin with: without any session and parent, most others would be refused. */
export const firstEntry: Entry = entry([
  ...['s1', 's2', 's3'].map((session) => open(session)),
  transaction([create('/a'), create('/b', '', { isEphemeral: true }), create('/a/x')], 's1'),
])

/** Some entries after the first one. */
export const arbitraryEntries: fc.Arbitrary<Entry[]> = fc
  .array(arbitraryEntry, { maxLength: 30, size: 'max' })
  .map((entries) => [firstEntry, ...entries])
