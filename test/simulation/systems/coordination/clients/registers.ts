// Reads and writes of versioned registers, recorded for the linearizability checker.

import { TransactionError } from '../../../../../protocol/coordination/coordinationError.ts'
import type {
  Operation,
  OperationResult,
} from '../../../../../protocol/coordination/tree/operation.ts'
import type { NodeInput, NodeOutput } from '../../../checkers/coordinationModel.ts'
import { oneOf } from '../../../plan/swarm.ts'
import { type Client, isPassing, isUnmade } from './client.ts'

export async function registers(client: Client): Promise<void> {
  const { shared, random, workload } = client
  /** Versions as this client knows them, which may be old ones. */
  const versions = new Map<string, number>()
  while (!client.isOver) {
    const path = `/register-${shared.era}-${random.below(workload.keys)}`
    const kind = oneOf(random, ['get', 'get', 'set', 'set', 'create', 'delete', 'compare'] as const)
    const version = kind === 'compare' || random.below(3) === 0 ? versions.get(path) : undefined
    const output = await perform(client, inputOf(kind, path, client.unique(), version))
    if (output !== undefined && 'version' in output) versions.set(path, output.version!)
    if (random.below(6) === 0) await refused(client, path)
    await client.think()
  }
}

/** A transaction whose last operation is refused has no effect, which reads would show. */
async function refused(client: Client, path: string): Promise<void> {
  const data = Buffer.from(client.unique())
  const set: Operation = { type: 'set', path, data }
  const impossible: Operation = { type: 'check', path: '/nowhere' }
  try {
    await client.member.transact([set, impossible])
    client.shared.violate('impossible transaction', `${client.name} changed ${path}`)
  } catch (error) {
    if (!(error instanceof TransactionError) && !isPassing(error)) throw error
  }
}

type Kind = NodeInput['kind'] | 'compare'

function inputOf(kind: Kind, path: string, data: string, version: number | undefined): NodeInput {
  const expected = version === undefined ? {} : { version }
  switch (kind) {
    case 'get':
      return { kind, path }
    case 'create':
      return { kind, path, data }
    case 'delete':
      return { kind, path, ...expected }
    case 'set':
    case 'compare':
      return { kind: 'set', path, data, ...expected }
  }
}

/** Undefined if the outcome is unknown. */
async function perform(client: Client, input: NodeInput): Promise<NodeOutput | undefined> {
  const { shared } = client
  const { era } = shared
  const call = era % 2 === 0 ? shared.nodes.begin(client.name, input) : undefined
  const isJudged = () => shared.era === era
  try {
    const output = await ask(client, input)
    if (isJudged()) call?.ok(output)
    return output
  } catch (error) {
    if (!isPassing(error)) throw error
    const isRead = input.kind === 'get'
    if (isUnmade(error)) shared.reached('caller: refused with no change made')
    if (isJudged() && (isRead || isUnmade(error))) call?.fail()
    return undefined
  }
}

async function ask({ member }: Client, input: NodeInput): Promise<NodeOutput> {
  if (input.kind === 'get') {
    await member.sync()
    const node = member.tree.get(input.path)
    if (node === undefined) return { error: 'NO_NODE' }
    const { version, modifiedZxid: zxid } = node.stat
    return { data: Buffer.from(node.data).toString(), version, zxid }
  }
  try {
    const [result] = await member.transact([operationOf(input)])
    return outputOf(result!)
  } catch (error) {
    if (!(error instanceof TransactionError)) throw error
    return { error: error.code as 'NODE_EXISTS' }
  }
}

function operationOf(input: Exclude<NodeInput, { kind: 'get' }>): Operation {
  const { path } = input
  const expected =
    'version' in input && input.version !== undefined ? { version: input.version } : {}
  if (input.kind === 'delete') return { type: 'delete', path, ...expected }
  const data = Buffer.from(input.data)
  if (input.kind === 'create') return { type: 'create', path, data }
  return { type: 'set', path, data, ...expected }
}

function outputOf({ stat }: OperationResult): NodeOutput {
  return stat === undefined ? {} : { version: stat.version, zxid: stat.modifiedZxid }
}
