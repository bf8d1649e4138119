// A naive model of the fold, written from the contract and not from the code: one map of paths,
// copied for every transaction, and a list of sessions that is searched for every entry.

import type {
  NodeStat,
  Operation,
  TreeEvent,
} from '../../../../protocol/coordination/tree/operation.ts'
import type { Entry, Request } from '../../../../protocol/coordination/tree/proposal.ts'

interface ModelNode {
  data: Buffer
  owner: string | undefined
  created: { zxid: number; ms: number }
  modified: { zxid: number; ms: number }
  version: number
  childrenZxid: number
  childrenVersion: number
  sequence: number
}

interface ModelSession {
  id: string
  member: string
  timeoutMs: number
  heardMs: number
}

export interface ModelStep {
  index: number
  zxid: number
  /** Undefined: success. */
  error: string | undefined
  operation: number | undefined
  results: { path: string; stat: NodeStat | undefined }[]
  events: TreeEvent[]
  endedSessions: string[]
}

class Refused extends Error {
  readonly error: string

  constructor(error: string) {
    super(error)
    this.error = error
  }
}

type Nodes = Map<string, ModelNode>

export class TreeModel {
  nodes: Nodes = new Map()
  sessions: ModelSession[] = []
  clockMs = 0
  zxid: number

  constructor(generation: number) {
    this.zxid = generation * 2 ** 40
    this.nodes.set('/', node(Buffer.alloc(0), undefined, 0, 0))
  }

  /** A repair of the log: every session has its whole timeout again. */
  beginGeneration(generation: number): void {
    this.zxid = generation * 2 ** 40
    for (const session of this.sessions) session.heardMs = this.clockMs
  }

  paths(): string[] {
    return [...this.nodes.keys()].sort()
  }

  stat(path: string): NodeStat {
    return statOf(this.nodes, path)
  }

  apply(entry: Entry): ModelStep[] {
    const steps: ModelStep[] = []
    this.clockMs += entry.stepMs > 1200 ? 1200 : entry.stepMs
    for (const session of this.sessions) {
      if (session.member === entry.member) session.heardMs = this.clockMs
    }
    const late = this.sessions.filter(
      ({ heardMs, timeoutMs }) => this.clockMs - heardMs > timeoutMs,
    )
    if (late.length > 0) {
      const step = this.#step(-1)
      for (const { id } of late) this.#end(id, step)
      steps.push(step)
    }
    for (const [index, request] of entry.requests.entries()) {
      const step = this.#step(index)
      steps.push(step)
      this.#request(entry, request, step)
    }
    return steps
  }

  #step(index: number): ModelStep {
    this.zxid++
    return {
      index,
      zxid: this.zxid,
      error: undefined,
      operation: undefined,
      results: [],
      events: [],
      endedSessions: [],
    }
  }

  #request(entry: Entry, request: Request, step: ModelStep): void {
    const isOpen = this.sessions.some(({ id }) => id === request.session)
    if (request.type === 'openSession') {
      if (isOpen || request.timeoutMs < 3000 || request.timeoutMs > 600_000) {
        step.error = 'BAD_ARGUMENTS'
        step.operation = -1
        return
      }
      const { session: id, timeoutMs } = request
      this.sessions.push({ id, member: entry.member, timeoutMs, heardMs: this.clockMs })
    } else if (request.type === 'closeSession') {
      if (isOpen) this.#end(request.session, step)
    } else if (request.session !== undefined && !isOpen) {
      step.error = 'SESSION_EXPIRED'
      step.operation = -1
    } else {
      this.#transact(request.operations, request.session, entry.wallMs, step)
    }
  }

  #end(session: string, step: ModelStep): void {
    const owned = this.paths().filter((path) => this.nodes.get(path)!.owner === session)
    for (const path of owned) deleteNode(this.nodes, path, step)
    this.sessions = this.sessions.filter(({ id }) => id !== session)
    step.endedSessions.push(session)
  }

  #transact(
    operations: readonly Operation[],
    session: string | undefined,
    ms: number,
    step: ModelStep,
  ): void {
    const copy: Nodes = new Map([...this.nodes].map(([path, each]) => [path, { ...each }]))
    for (const [index, operation] of operations.entries()) {
      try {
        step.results.push(applyOperation(copy, operation, session, ms, step))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        Object.assign(step, { error: error.error, operation: index, results: [], events: [] })
        return
      }
    }
    this.nodes = copy
  }
}

function node(data: Buffer, owner: string | undefined, zxid: number, ms: number): ModelNode {
  const stamp = { zxid, ms }
  return {
    data,
    owner,
    created: stamp,
    modified: stamp,
    version: 0,
    childrenZxid: zxid,
    childrenVersion: 0,
    sequence: 0,
  }
}

function up(path: string): string {
  return path.split('/').slice(0, -1).join('/') || '/'
}

function childrenOf(nodes: Nodes, path: string): string[] {
  return [...nodes.keys()].filter((each) => each !== '/' && up(each) === path)
}

function statOf(nodes: Nodes, path: string): NodeStat {
  const each = nodes.get(path)!
  return {
    createdZxid: each.created.zxid,
    modifiedZxid: each.modified.zxid,
    childrenZxid: each.childrenZxid,
    version: each.version,
    childrenVersion: each.childrenVersion,
    ephemeralOwner: each.owner,
    createdMs: each.created.ms,
    modifiedMs: each.modified.ms,
    dataBytes: each.data.length,
    childCount: childrenOf(nodes, path).length,
  }
}

function applyOperation(
  nodes: Nodes,
  operation: Operation,
  session: string | undefined,
  ms: number,
  step: ModelStep,
): ModelStep['results'][0] {
  if (operation.path.includes('//')) throw new Refused('BAD_ARGUMENTS')
  if (operation.type === 'create') return applyCreate(nodes, operation, session, ms, step)
  const { path, type, version } = operation
  const target = nodes.get(path)
  if (target === undefined) throw new Refused('NO_NODE')
  if (version !== undefined && target.version !== version) throw new Refused('BAD_VERSION')
  if (type === 'delete') {
    if (path === '/') throw new Refused('BAD_ARGUMENTS')
    if (childrenOf(nodes, path).length > 0) throw new Refused('NOT_EMPTY')
    deleteNode(nodes, path, step)
    return { path, stat: undefined }
  }
  if (type === 'set') {
    target.data = Buffer.from(operation.data)
    target.version++
    target.modified = { zxid: step.zxid, ms }
    step.events.push({ type: 'changed', path, zxid: step.zxid })
  }
  return { path, stat: statOf(nodes, path) }
}

function applyCreate(
  nodes: Nodes,
  operation: Extract<Operation, { type: 'create' }>,
  session: string | undefined,
  ms: number,
  step: ModelStep,
): ModelStep['results'][0] {
  let { path } = operation
  if (path === '/') throw new Refused('NODE_EXISTS')
  const parent = nodes.get(up(path))
  if (parent === undefined) throw new Refused('NO_NODE')
  if (parent.owner !== undefined) throw new Refused('NO_CHILDREN_FOR_EPHEMERALS')
  if (operation.isEphemeral && session === undefined) throw new Refused('BAD_ARGUMENTS')
  if (operation.isSequential) {
    const numbered = () => path + `000000000${parent.sequence}`.slice(-10)
    while (nodes.has(numbered())) parent.sequence++
    path = numbered()
    parent.sequence++
  }
  if (nodes.has(path)) throw new Refused('NODE_EXISTS')
  const owner = operation.isEphemeral ? session : undefined
  nodes.set(path, node(Buffer.from(operation.data), owner, step.zxid, ms))
  parent.childrenVersion++
  parent.childrenZxid = step.zxid
  step.events.push({ type: 'created', path, zxid: step.zxid })
  return { path, stat: statOf(nodes, path) }
}

function deleteNode(nodes: Nodes, path: string, step: ModelStep): void {
  nodes.delete(path)
  const parent = nodes.get(up(path))!
  parent.childrenVersion++
  parent.childrenZxid = step.zxid
  step.events.push({ type: 'deleted', path, zxid: step.zxid })
}
