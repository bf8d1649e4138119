// Sequential models of coordination for the linearizability checker: nodes with versions, a lock
// with fencing tokens, a leader election; and the invariants of an election, checked directly.
//
// Contract: an output that is undefined means that the operation was not answered. A refusal is an
// output too: `error` has ZooKeeper's name of it.

import type { ConcurrentOperation, Model } from './linearizable.ts'

/** Operations of one node; `get` stands for a read after a `sync`. `version`: the expected one. */
export type NodeInput = { readonly path: string } & (
  | { readonly kind: 'create'; readonly data: string }
  | { readonly kind: 'set'; readonly data: string; readonly version?: number }
  | { readonly kind: 'delete'; readonly version?: number }
  | { readonly kind: 'get' }
)

export type NodeOutput =
  | { readonly error: 'NODE_EXISTS' | 'NO_NODE' | 'BAD_VERSION' }
  /** Of the node after the operation; `data` only of `get`, nothing of `delete`. */
  | { readonly data?: string; readonly version?: number; readonly zxid?: number }

interface NodeState {
  /** Undefined while the node does not exist. */
  readonly node: { readonly data: string; readonly version: number } | undefined
  /** zxid of the last change whose zxid is known: changes have ever higher ones. */
  readonly zxid: number
  /** Whether `zxid` is that of the node as it is. */
  readonly isCurrent: boolean
}

export const nodeModel: Model<NodeState, NodeInput, NodeOutput> = {
  init: () => ({ node: undefined, zxid: -1, isCurrent: false }),
  partition: ({ path }) => path,
  key: ({ node, zxid, isCurrent }) =>
    `${zxid} ${isCurrent} ${node === undefined ? '' : `${node.version} ${node.data}`}`,
  step(state, input, output) {
    const error = refusal(state, input)
    if (error !== undefined) {
      const isRefused = output === undefined || ('error' in output && output.error === error)
      return isRefused ? { state } : undefined
    }
    if (output !== undefined && 'error' in output) return undefined
    return input.kind === 'get' ? read(state, output) : changed(state, input, output)
  },
}

function refusal({ node }: NodeState, input: NodeInput): string | undefined {
  if (input.kind === 'create') return node === undefined ? undefined : 'NODE_EXISTS'
  if (node === undefined) return 'NO_NODE'
  if (input.kind === 'get' || input.version === undefined) return undefined
  return input.version === node.version ? undefined : 'BAD_VERSION'
}

type NodeAnswer = Exclude<NodeOutput, { readonly error: string }>

function read(state: NodeState, output: NodeAnswer | undefined) {
  if (output === undefined) return { state }
  const { data, version, zxid } = output
  if (data !== state.node!.data || (version ?? state.node!.version) !== state.node!.version)
    return undefined
  if (zxid === undefined) return { state }
  // The read tells the zxid of a change that was not answered.
  const isPossible = state.isCurrent ? zxid === state.zxid : zxid > state.zxid
  return isPossible ? { state: { ...state, zxid, isCurrent: true } } : undefined
}

function changed(state: NodeState, input: NodeInput, output: NodeAnswer | undefined) {
  const node = nodeAfter(state, input)
  if (output?.version !== undefined && output.version !== node?.version) return undefined
  const zxid = output?.zxid
  if (zxid !== undefined && zxid <= state.zxid) return undefined
  return { state: { node, zxid: zxid ?? state.zxid, isCurrent: zxid !== undefined } }
}

function nodeAfter({ node }: NodeState, input: NodeInput): NodeState['node'] {
  if (input.kind === 'create') return { data: input.data, version: 0 }
  return input.kind === 'set' ? { data: input.data, version: node!.version + 1 } : undefined
}

/**
 * A lock. `expire`: the session of the holder expired, so that the lock is free if the session had
 * it. `write`: a write with a fencing token to something that the lock protects.
 */
export type LockInput = { readonly lock: string } & (
  | { readonly kind: 'acquire' | 'release' | 'expire'; readonly session: string }
  | { readonly kind: 'write'; readonly token: number }
)

/** Token of an acquired lock; whether a release found it held, or a write was accepted. */
export type LockOutput = number | boolean

interface LockState {
  readonly holder: string | undefined
  /** The highest token that is known to have been given out. */
  readonly token: number
  /** The highest token that was presented with an accepted write. */
  readonly fence: number
}

export const lockModel: Model<LockState, LockInput, LockOutput> = {
  init: () => ({ holder: undefined, token: -1, fence: -1 }),
  partition: ({ lock }) => lock,
  key: ({ holder, token, fence }) => `${token} ${fence} ${holder ?? ''}`,
  step(state, input, output) {
    switch (input.kind) {
      case 'acquire':
        return acquired(state, input.session, output)
      case 'release': {
        const isHeld = state.holder === input.session
        if (output !== undefined && output !== isHeld) return undefined
        return { state: isHeld ? { ...state, holder: undefined } : state }
      }
      case 'expire':
        return { state: state.holder === input.session ? { ...state, holder: undefined } : state }
      case 'write': {
        const isAccepted = input.token >= state.fence
        if (output !== undefined && output !== isAccepted) return undefined
        return { state: isAccepted ? { ...state, fence: input.token } : state }
      }
    }
  },
}

/** `false`: the lock was held, by whomever. */
function acquired(state: LockState, session: string, output: LockOutput | undefined) {
  const isFree = state.holder === undefined
  if (output === false) return isFree ? undefined : { state }
  if (!isFree) return output === undefined ? { state } : undefined
  if (output === undefined) return { state: { ...state, holder: session } }
  if (typeof output !== 'number' || output <= state.token) return undefined
  return { state: { ...state, holder: session, token: output } }
}

/** An election. `resign`: the candidate steps down, or its session expired. */
export interface ElectionInput {
  readonly kind: 'elect' | 'resign' | 'observe'
  readonly candidate: string
}

/** The epoch of an election that was won; of `observe`, the leader with its epoch. */
export type ElectionOutput =
  | { readonly epoch: number }
  | { readonly leader: string | undefined; readonly epoch: number }

interface ElectionState {
  readonly leader: string | undefined
  /** Of the last election whose epoch is known. */
  readonly epoch: number
  readonly isCurrent: boolean
}

export const electionModel: Model<ElectionState, ElectionInput, ElectionOutput> = {
  init: () => ({ leader: undefined, epoch: -1, isCurrent: true }),
  key: ({ leader, epoch, isCurrent }) => `${epoch} ${isCurrent} ${leader ?? ''}`,
  step(state, { kind, candidate }, output) {
    if (kind === 'elect') return elected(state, candidate, output)
    if (kind === 'observe') return observed(state, output)
    return { state: state.leader === candidate ? { ...state, leader: undefined } : state }
  },
}

function elected(state: ElectionState, candidate: string, output: ElectionOutput | undefined) {
  if (state.leader !== undefined) return output === undefined ? { state } : undefined
  if (output === undefined) return { state: { ...state, leader: candidate, isCurrent: false } }
  if (output.epoch <= state.epoch) return undefined
  return { state: { leader: candidate, epoch: output.epoch, isCurrent: true } }
}

function observed(state: ElectionState, output: ElectionOutput | undefined) {
  if (output === undefined) return { state }
  const { epoch } = output
  const leader = 'leader' in output ? output.leader : undefined
  if (leader !== state.leader) return undefined
  const isPossible = state.isCurrent ? epoch === state.epoch : epoch > state.epoch
  return isPossible ? { state: { leader, epoch, isCurrent: true } } : undefined
}

export type ElectionOperation = ConcurrentOperation<ElectionInput, ElectionOutput>

/**
 * The epochs of an election that break its rules, in words: an epoch has one leader, and an
 * election that began after another one had ended has a higher epoch. In time linear in the
 * operations but for sorting.
 */
export function electionProblems(operations: readonly ElectionOperation[]): string[] {
  return [...sharedEpochs(operations), ...fallingEpochs(operations)]
}

function sharedEpochs(operations: readonly ElectionOperation[]): string[] {
  const problems: string[] = []
  const leaders = new Map<number, { readonly leader: string; readonly isElection: boolean }>()
  for (const { input, output } of operations) {
    const isElection = input.kind === 'elect'
    const leader = isElection ? input.candidate : observedLeader(output)
    if (output === undefined || leader === undefined) continue
    const known = leaders.get(output.epoch)
    if (known !== undefined && known.leader !== leader)
      problems.push(`${known.leader} and ${leader} both led in epoch ${output.epoch}`)
    else if (known?.isElection && isElection)
      problems.push(`${leader} was elected twice in epoch ${output.epoch}`)
    leaders.set(output.epoch, { leader, isElection: isElection || known?.isElection === true })
  }
  return problems
}

function observedLeader(output: ElectionOutput | undefined): string | undefined {
  return output !== undefined && 'leader' in output ? output.leader : undefined
}

function fallingEpochs(operations: readonly ElectionOperation[]): string[] {
  const elections = operations.filter(
    ({ input, output }) => input.kind === 'elect' && output !== undefined,
  )
  const ended = elections.toSorted((a, b) => a.returnedAt - b.returnedAt)
  let highest: ElectionOperation | undefined
  let next = 0
  return elections
    .toSorted((a, b) => a.calledAt - b.calledAt)
    .flatMap((election) => {
      for (; next < ended.length && ended[next]!.returnedAt < election.calledAt; next++)
        if (highest === undefined || ended[next]!.output!.epoch > highest.output!.epoch)
          highest = ended[next]
      if (highest === undefined || election.output!.epoch > highest.output!.epoch) return []
      return [
        `${election.input.candidate} was elected in epoch ${election.output!.epoch} after ` +
          `${highest.input.candidate} had been in epoch ${highest.output!.epoch}`,
      ]
    })
}
