// Decides whether a job whose code has changed may continue with its state, and which operator gets
// which state. Pure: compares the operators of the newest batch with those of the current code.
//
// State is found by uid, whatever else has changed around the operator, and only by an operator of
// the same kind, shape and codec: any other would misinterpret it. An operator without a uid of its
// own is named by its position in the graph, which another operator may take when the code changes.
// It continues only when no other operator can be meant.

import { EngineError } from '../engineError.ts'
import type { OperatorContract } from './statefulOperator.ts'

/** The code of a batch, as recorded in the offset log. */
export interface CodeOfBatch {
  readonly code?: string | undefined
  /** Undefined in entries of versions that did not record operators. */
  readonly operators?: readonly OperatorContract[] | undefined
}

export interface CodeOfNow {
  readonly code: string
  readonly operators: readonly OperatorContract[]
}

export interface CodeComparison {
  /** The newest planned batch; undefined for none. */
  readonly before: CodeOfBatch | undefined
  readonly now: CodeOfNow
  /** Uids with state in the job's directory. */
  readonly stateUids: readonly string[]
  /** Uids whose state the user discards. */
  readonly discard?: readonly string[] | undefined
}

export type CodeChange =
  | { readonly kind: 'same' }
  | ContinuedCode
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

export interface ContinuedCode {
  readonly kind: 'continue'
  /** Uids of operators that start empty. */
  readonly added: readonly string[]
  /** Uids whose state no operator uses any more. The state is kept. */
  readonly removed: readonly string[]
  /**
   * States that continue under another uid: of operators without a uid whose position has changed.
   */
  readonly moved: readonly MovedState[]
  /**
   * Uids of current operators for which earlier operators left state: it is set aside before states
   * move.
   */
  readonly stale: readonly string[]
  /**
   * Set for a job from before operators were recorded; the current operators are assumed to be its
   * own.
   */
  readonly isTakenOver?: boolean
}

export interface MovedState {
  readonly from: string
  readonly to: string
}

/**
 * Compares the recorded code with the current one. `discard` takes effect only if the state cannot
 * be continued otherwise: repeated at the next start, or left in a script, it discards nothing
 * more.
 */
export function compareCode(comparison: CodeComparison): CodeChange {
  const { before, discard = [] } = comparison
  if (before === undefined) return { kind: 'same' }
  const change = compare(before, comparison, [])
  return change.kind === 'refused' && discard.length > 0
    ? compare(before, comparison, discard)
    : change
}

function compare(
  before: CodeOfBatch,
  { now, stateUids }: CodeComparison,
  discard: readonly string[],
): CodeChange {
  const { operators } = before
  if (operators === undefined) return takeOver(now, stateUids, discard)
  if (before.code === now.code && areEqual(operators, now.operators)) return { kind: 'same' }
  const kept = operators.filter(({ uid }) => !discard.includes(uid))
  const { pairs, problems: ambiguities } = pairUp(kept, now.operators)
  const mismatches = pairs.filter(({ was, is }) => !keepsAlike(was, is)).map(mismatch)
  const problems = [...mismatches, ...ambiguities]
  if (problems.length > 0) return { kind: 'refused', problems }
  return continued(operators, now.operators, pairs, stateUids)
}

/** The error for a job that cannot continue. */
export function jobChanged(job: string, problems: readonly string[]): EngineError {
  return new EngineError(
    'JOB_CHANGED',
    `the code of job '${job}' has changed, and its state cannot be continued safely:\n` +
      problems.map((problem) => `  - ${problem}`).join('\n'),
  )
}

/** Returns a continued change as fields of a log line, without empty ones. */
export function describeChange(change: ContinuedCode): Readonly<Record<string, readonly string[]>> {
  const { added, removed, moved, stale } = change
  const movedUids = moved.map(({ from, to }) => `${from} -> ${to}`)
  const fields = { added, removed, moved: movedUids, stale }
  return Object.fromEntries(Object.entries(fields).filter(([, uids]) => uids.length > 0))
}

function areEqual(one: readonly OperatorContract[], other: readonly OperatorContract[]): boolean {
  return one.length === other.length && one.every((operator, at) => isAlike(operator, other[at]!))
}

function isAlike(one: OperatorContract, other: OperatorContract): boolean {
  return one.uid === other.uid && one.isNamed === other.isNamed && keepsAlike(one, other)
}

function keepsAlike(one: OperatorContract, other: OperatorContract): boolean {
  return one.kind === other.kind && one.shape === other.shape && one.codec === other.codec
}

/** The previous and the current version of one operator. */
interface Pair {
  readonly was: OperatorContract
  readonly is: OperatorContract
}

function continued(
  before: readonly OperatorContract[],
  now: readonly OperatorContract[],
  pairs: readonly Pair[],
  stateUids: readonly string[],
): ContinuedCode {
  const goesOn = new Set(pairs.map(({ is }) => is))
  const used = new Set(pairs.map(({ was }) => was.uid))
  const inPlace = new Set(pairs.flatMap(({ was, is }) => (was.uid === is.uid ? [is] : [])))
  return {
    kind: 'continue',
    added: now.filter((operator) => !goesOn.has(operator)).map(({ uid }) => uid),
    removed: before.map(({ uid }) => uid).filter((uid) => !used.has(uid)),
    moved: pairs
      .filter(({ was, is }) => was.uid !== is.uid)
      .map(({ was, is }) => ({ from: was.uid, to: is.uid })),
    stale: now
      .filter((operator) => !inPlace.has(operator) && stateUids.includes(operator.uid))
      .map(({ uid }) => uid),
  }
}

interface Pairing {
  readonly pairs: readonly Pair[]
  /** Why operators cannot be matched. */
  readonly problems: readonly string[]
}

function pairUp(before: readonly OperatorContract[], now: readonly OperatorContract[]): Pairing {
  // Operators are paired by the uids given in the current code; the previous code may have derived
  // the same uid.
  const pairs = now
    .filter(({ isNamed }) => isNamed)
    .flatMap((is): Pair[] => {
      const was = before.find(({ uid }) => uid === is.uid)
      return was === undefined ? [] : [{ was, is }]
    })
  const problems: string[] = []
  const gone = before.filter((operator) => !pairs.some(({ was }) => was === operator))
  const come = now.filter((operator) => !pairs.some(({ is }) => is === operator))
  for (const kind of new Set([...gone, ...come].map((operator) => operator.kind))) {
    const lost = gone.filter((operator) => operator.kind === kind)
    const found = come.filter((operator) => operator.kind === kind)
    // All operators of the kind have uids: the user has declared them to be different operators.
    if (![...lost, ...found].some(({ isNamed }) => !isNamed)) continue
    // No previous operator could match a current one, or the other way round.
    if (lost.length === 0 || found.length === 0) continue
    const [was, is] = [lost[0]!, found[0]!]
    const isOnly = lost.length === 1 && found.length === 1
    const areOnly = unnamed(before, kind) === 1 && unnamed(now, kind) === 1
    if (isOnly && areOnly && !was.isNamed && !is.isNamed) pairs.push({ was, is })
    else problems.push(ambiguity(kind, lost, found))
  }
  return { pairs, problems }
}

function unnamed(operators: readonly OperatorContract[], kind: string): number {
  return operators.filter((operator) => operator.kind === kind && !operator.isNamed).length
}

function mismatch({ was, is }: Pair): string {
  const differences = (['kind', 'shape', 'codec'] as const)
    .filter((field) => was[field] !== is[field])
    .map((field) => `${field} ${quoted(was[field])}, and has ${quoted(is[field])} now`)
  return (
    `operator '${is.uid}' had the ${differences.join('; the ')}: it would misinterpret its state. ` +
    'Restore the previous definition; or give the operator another uid, with which it starts empty' +
    (was.isNamed ? '' : `, and discard the state with --discard-state ${was.uid}`)
  )
}

function ambiguity(
  kind: string,
  lost: readonly OperatorContract[],
  found: readonly OperatorContract[],
): string {
  const uids = lost.map(({ uid }) => uid)
  return (
    `cannot tell which operator owns the state ${listed(uids.map((uid) => `'${uid}'`))}: the code has ` +
    `${candidates(kind, found)}. Write ${listed(uids.map((uid) => `uid: '${uid}'`))} on the operator that ` +
    `owns the state; or discard the state with --discard-state ${uids.join(',')}`
  )
}

/** The only operator of earlier releases whose state can be converted. */
const convertible = 'updateStateByKey'

/**
 * `2 operators updateStateByKey without a uid`, `updateStateByKey 'ages' and one without a uid`.
 */
function candidates(kind: string, found: readonly OperatorContract[]): string {
  const names = found.filter(({ isNamed }) => isNamed).map(({ uid }) => `'${uid}'`)
  const count = found.length - names.length
  const without = `${count === 1 ? 'one' : count} without a uid`
  if (names.length > 0) return `${kind} ${listed([...names, without])}`
  return count === 1
    ? `one operator ${kind} without a uid`
    : `${count} operators ${kind} without a uid`
}

/**
 * Infers the operators from the states that exist, for jobs whose release did not record operators.
 */
function takeOver(
  { operators }: CodeOfNow,
  stateUids: readonly string[],
  discard: readonly string[],
): CodeChange {
  const uids = operators.map(({ uid }) => uid)
  const kept = stateUids.filter((uid) => !discard.includes(uid))
  const added = uids.filter((uid) => !kept.includes(uid))
  const unknown = kept.filter((uid) => !uids.includes(uid))
  // Without any state, none can be mistaken for another.
  const stateless = kept.length === 0 ? [] : added.filter((uid) => !discard.includes(uid))
  const differences = [
    ...stateless.map((uid) => `operator '${uid}' has no state`),
    ...unknown.map((uid) => `state '${uid}' has no operator`),
  ]
  const problems = operators
    .filter(({ uid, kind }) => kept.includes(uid) && kind !== convertible)
    .map(({ uid, kind }) => notConvertible(uid, kind))
  if (differences.length > 0) {
    problems.push(
      'the job last ran with an earlier version of Millrace, which did not record operators, and ' +
        `${listed(differences)}: start the job once with its previous code, then change it`,
    )
  }
  if (problems.length > 0) return { kind: 'refused', problems }
  const stale = added.filter((uid) => stateUids.includes(uid))
  const removed = stateUids.filter((uid) => !kept.includes(uid))
  return { kind: 'continue', added, removed, moved: [], stale, isTakenOver: true }
}

function notConvertible(uid: string, kind: string): string {
  return (
    `the state '${uid}' of ${kind} was written by an earlier version of Millrace, and only states of ${convertible} can ` +
    `be converted; discard it with --discard-state ${uid}, or keep using the earlier version`
  )
}

function quoted(text: string): string {
  return text === '' ? 'none' : `'${text}'`
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
