// Judges a chaos run: what its members saw, against what the log has. Pure, so that a violation can
// be planted (judgement.test.ts).
//
// A call that was not answered, or whose outcome is unknown, had its effect if the log has its
// change; then it may have happened at any time after the call. A tenure that never knew that it
// was held is left out: the others can be linearized without it if they can be with it.

import { maxStepMs } from '../../../../protocol/coordination/tree/proposal.ts'
import { linearizationText } from '../../../simulation/checkers/concurrentRecorder.ts'
import {
  type ElectionOperation,
  electionModel,
  electionProblems,
  type LockInput,
  type LockOutput,
  lockModel,
  type NodeInput,
  type NodeOutput,
  nodeModel,
} from '../../../simulation/checkers/coordinationModel.ts'
import {
  type ConcurrentOperation,
  checkLinearizable,
  type Model,
} from '../../../simulation/checkers/linearizable.ts'
import type { FencedWrite } from './chaosEvents.ts'
import type { CallRecord, ChaosHistory, Tenure } from './chaosHistory.ts'
import { chaosPaths } from './chaosMember.ts'
import type { Audit, Expiry } from './logAuditor.ts'

export interface Judgement {
  readonly problems: readonly string[]
  readonly unknown: UnknownOutcomes
}

/** Calls without an answer that says what happened, by what the log says. */
export interface UnknownOutcomes {
  /** Answered as unknown. */
  readonly answered: Resolved
  /** The process was killed before the answer. */
  readonly killed: Resolved
}

interface Resolved {
  readonly withEffect: number
  readonly withoutEffect: number
}

/**
 * What the clock of the log may be ahead of the clocks of members: one append may be counted twice
 * (MemberSession subtracts as much from what is certain).
 */
const clockMarginMs = 500
const never = Number.POSITIVE_INFINITY

export function judge(history: ChaosHistory, audit: Audit): Judgement {
  const calls = [...history.calls.values()]
  return {
    problems: [
      ...audit.problems,
      ...damageProblems(history),
      ...history.missed.map(({ member, message }) => `${member}: ${message}`),
      ...callProblems(calls, audit),
      ...orderProblems(calls, audit),
      ...linearizationProblems('registers', nodeModel, nodeOperations(calls, audit)),
      ...linearizationProblems('locks', lockModel, lockOperations(history, calls, audit)),
      ...electionFaults(history),
      ...certaintyProblems(history),
      ...expiryProblems(audit),
    ],
    unknown: unknownOutcomes(calls, audit),
  }
}

function damageProblems({ statuses, logs }: ChaosHistory): string[] {
  const damaged = statuses.filter(({ status }) => status === 'damaged')
  const logged = logs.filter(({ message }) => /damaged|lost entries/.test(message))
  return [
    ...damaged.map(({ member, problem }) => `${member} reported damage: ${problem}`),
    ...logged.map(({ member, message }) => `${member} logged: ${message}`),
  ]
}

/** The data that names the change of a call; undefined for reads and deletions. */
function dataOf({ input }: CallRecord): string | undefined {
  return 'data' in input ? input.data : undefined
}

/** The zxid of the call's change, if the log has it. */
function effectOf(call: CallRecord, { changes }: Audit): number | undefined {
  const data = dataOf(call)
  return data === undefined ? undefined : changes.get(data)
}

function isUnknown({ outcome }: CallRecord): boolean {
  return outcome === undefined || outcome.type === 'unknown'
}

/** Whether it was answered that the change was made. */
function isMade({ outcome }: CallRecord): boolean {
  if (outcome?.type !== 'answered') return false
  return typeof outcome.output === 'object' ? !('error' in outcome.output) : outcome.output
}

function callProblems(calls: readonly CallRecord[], audit: Audit): string[] {
  return calls.flatMap((call) => {
    const data = dataOf(call)
    if (data === undefined || isUnknown(call)) return []
    const effect = effectOf(call, audit)
    const name = `${call.member}: the change ${data}`
    if (!isMade(call)) {
      return effect === undefined ? [] : [`${name} was said to have no effect, but was made`]
    }
    if (effect === undefined) return [`${name} was acknowledged, but the log does not have it`]
    const said = zxidOf(call)
    if (said === undefined || said === effect) return []
    return [`${name} was acknowledged with zxid ${said}, but has ${effect} in the log`]
  })
}

function zxidOf({ outcome }: CallRecord): number | undefined {
  if (outcome?.type !== 'answered' || typeof outcome.output !== 'object') return undefined
  return 'zxid' in outcome.output ? outcome.output.zxid : undefined
}

/**
 * A change of a member takes effect before those that the member asks for later, also if its
 * outcome is unknown: what the recipes rely on (recipes/retry.ts).
 */
function orderProblems(calls: readonly CallRecord[], audit: Audit): string[] {
  const highest = new Map<string, { readonly data: string; readonly zxid: number }>()
  const problems: string[] = []
  const ended = calls
    .filter((call) => effectOf(call, audit) !== undefined && call.input.kind !== 'write')
    .map((call) => ({ call, zxid: effectOf(call, audit)!, data: dataOf(call)! }))
    .sort((a, b) => a.call.calledAt - b.call.calledAt)
  for (const { call, zxid, data } of ended) {
    const before = highest.get(call.member)
    if (before !== undefined && zxid < before.zxid)
      problems.push(`${call.member}: ${data} took effect before ${before.data}, asked for earlier`)
    else highest.set(call.member, { data, zxid })
  }
  return problems
}

function linearizationProblems<State, Input, Output>(
  what: string,
  model: Model<State, Input, Output>,
  operations: readonly ConcurrentOperation<Input, Output>[],
): string[] {
  const linearization = checkLinearizable(model, operations)
  if (linearization.outcome === 'linearizable') return []
  return [`${what}: ${linearizationText(linearization)}`]
}

function nodeOperations(
  calls: readonly CallRecord[],
  audit: Audit,
): ConcurrentOperation<NodeInput, NodeOutput>[] {
  return calls.flatMap((call): ConcurrentOperation<NodeInput, NodeOutput>[] => {
    const { member: client, input, calledAt, outcome } = call
    if (input.kind === 'write' || outcome?.type === 'refused') return []
    if (outcome?.type === 'answered') {
      const output = outcome.output as NodeOutput
      return [{ client, input, output, calledAt, returnedAt: call.returnedAt }]
    }
    const pending = { client, input, calledAt, returnedAt: never }
    if (input.kind === 'delete') return [{ ...pending, output: undefined }]
    const zxid = effectOf(call, audit)
    return zxid === undefined ? [] : [{ ...pending, output: { zxid } }]
  })
}

/** Of tenures that were held: each counts as a holder of its own. */
function heldTenures({ tenures }: ChaosHistory, folder: string): HeldTenure[] {
  return [...tenures.values()].filter(
    (tenure): tenure is HeldTenure => tenure.held !== undefined && tenure.queue.startsWith(folder),
  )
}

type HeldTenure = Tenure & { readonly held: NonNullable<Tenure['held']> }

/** The node of a tenure exists while it is certain, and until somebody asks to delete it. */
function endOf({ joinedAt, certain, leaveAt, leftAt }: HeldTenure) {
  // Not when it was told that it is held: the process may have been paused before it reported that.
  const last = certain?.after ?? joinedAt
  return { calledAt: Math.min(leaveAt ?? never, last), returnedAt: leftAt ?? never }
}

function lockOperations(
  history: ChaosHistory,
  calls: readonly CallRecord[],
  audit: Audit,
): ConcurrentOperation<LockInput, LockOutput>[] {
  const tenures = heldTenures(history, chaosPaths.locks).flatMap((tenure) => {
    const { id: session, member: client, joinedAt, held, queue } = tenure
    const lock = queue.slice(chaosPaths.locks.length + 1)
    const common = { client, calledAt: joinedAt }
    return [
      {
        ...{ ...common, returnedAt: held.at, output: held.token },
        input: { kind: 'acquire' as const, lock, session },
      },
      {
        ...{ client, ...endOf(tenure), output: undefined },
        input: { kind: 'release' as const, lock, session },
      },
    ]
  })
  const writes = calls.flatMap((call) => {
    const { member: client, input, calledAt, outcome } = call
    if (!isFencedWrite(input) || outcome?.type === 'refused') return []
    const common = { client, input: withoutData(input), calledAt }
    if (outcome?.type === 'answered') {
      return [{ ...common, returnedAt: call.returnedAt, output: outcome.output as boolean }]
    }
    if (effectOf(call, audit) === undefined) return []
    return [{ ...common, returnedAt: never, output: true }]
  })
  return [...tenures, ...writes]
}

function isFencedWrite(input: CallRecord['input']): input is FencedWrite {
  return input.kind === 'write'
}

function withoutData({ kind, lock, token }: FencedWrite): LockInput {
  return { kind, lock, token }
}

function electionFaults(history: ChaosHistory): string[] {
  const tenures = heldTenures(history, chaosPaths.election)
  const elections = tenures.map(({ id, member, joinedAt, held }): ElectionOperation => {
    const input = { kind: 'elect' as const, candidate: id }
    const output = { epoch: held.token }
    return { client: member, input, output, calledAt: joinedAt, returnedAt: held.at }
  })
  const ends = tenures.map((tenure): ElectionOperation => {
    const input = { kind: 'resign' as const, candidate: tenure.id }
    return { client: tenure.member, input, output: undefined, ...endOf(tenure) }
  })
  const observed = history.observations.map(
    ({ member: client, leader, epoch, calledAt, at: returnedAt }): ElectionOperation => ({
      ...{ client, calledAt, returnedAt },
      input: { kind: 'observe', candidate: '' },
      output: { leader, epoch },
    }),
  )
  return [
    ...linearizationProblems('election', electionModel, [...elections, ...ends]),
    ...electionProblems([...elections, ...observed]),
  ]
}

/** No tenure was certain after one with a higher token had been certain in the same queue. */
function certaintyProblems({ tenures }: ChaosHistory): string[] {
  const byQueue = Map.groupBy([...tenures.values()].filter(isCertain), ({ queue }) => queue)
  return [...byQueue].flatMap(([queue, certain]) => {
    const problems: string[] = []
    let latest: CertainTenure | undefined
    for (const tenure of certain.sort((a, b) => a.held.token - b.held.token)) {
      const lateUs = (latest?.certain.after ?? 0) - tenure.certain.before
      if (latest !== undefined && lateUs > 0)
        problems.push(`${queue}: ${latest.id} was certain ${lateUs} us after ${tenure.id} was`)
      if (latest === undefined || tenure.certain.after > latest.certain.after) latest = tenure
    }
    return problems
  })
}

type CertainTenure = HeldTenure & { readonly certain: NonNullable<Tenure['certain']> }

function isCertain(tenure: Tenure): tenure is CertainTenure {
  return tenure.held !== undefined && tenure.certain !== undefined
}

/** A session expires only if its member was not heard for its timeout, pauses left out. */
function expiryProblems(audit: Audit): string[] {
  return audit.expiries.flatMap((expiry) => {
    const { unheardMs, countedMs } = unheard(audit, expiry)
    const leastMs = expiry.timeoutMs - clockMarginMs
    if (countedMs >= leastMs) return []
    return [
      `a session of ${expiry.name} with a timeout of ${expiry.timeoutMs} ms expired although its ` +
        `member was heard ${unheardMs} ms before, ${countedMs} ms without pauses of the log`,
    ]
  })
}

/** Time from the last entry of the session's member to the entry at which the session expired. */
function unheard({ entries }: Audit, { member, entry }: Expiry) {
  let countedMs = 0
  let last = entry
  while (last > 0 && entries[last]!.member !== member) {
    const stepMs = entries[last]!.wallMs - entries[last - 1]!.wallMs
    countedMs += Math.min(Math.max(0, stepMs), maxStepMs)
    last--
  }
  return { countedMs, unheardMs: entries[entry]!.wallMs - entries[last]!.wallMs }
}

function unknownOutcomes(calls: readonly CallRecord[], audit: Audit): UnknownOutcomes {
  const unknown = calls.filter((call) => isUnknown(call) && dataOf(call) !== undefined)
  const resolved = (some: readonly CallRecord[]): Resolved => {
    const withEffect = some.filter((call) => effectOf(call, audit) !== undefined).length
    return { withEffect, withoutEffect: some.length - withEffect }
  }
  return {
    answered: resolved(unknown.filter(({ outcome }) => outcome !== undefined)),
    killed: resolved(unknown.filter(({ outcome }) => outcome === undefined)),
  }
}
