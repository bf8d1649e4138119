// The state of coordination as text for a terminal and as plain data. Names and data come from
// other programs, so control characters are made harmless.

import type {
  CoordinationFigures,
  CoordinationStatus,
  TreeNode,
  TreeReader,
} from '../../coordination/coordination.ts'
import { registrationGroups } from '../../coordination/recipes/registration.ts'
import { harmless } from '../../telemetry/logging/harmlessText.ts'
import { clip } from '../terminalText.ts'

export interface Source extends Omit<CoordinationFigures, 'pendingRequests'> {
  readonly tree: TreeReader
  /** Undefined for a copy. */
  readonly status: CoordinationStatus | undefined
  readonly problem: string | undefined
}

export interface CoordinationListing {
  readonly status: CoordinationStatus | 'copy'
  readonly problem: string | undefined
  readonly log: { readonly id: string; readonly generation: number; readonly entry: number }
  readonly zxid: number
  readonly nodes: number
  readonly sessions: CoordinationFigures['sessions']
  /** What each registered program says about itself, by its name. */
  readonly brokers: Readonly<Record<string, unknown>>
  readonly agents: Readonly<Record<string, unknown>>
  readonly jobs: Readonly<Record<string, unknown>>
}

export function statusOf(source: Source): CoordinationListing {
  const { tree, status = 'copy', problem, sessions, generation, logId, sequence } = source
  const { brokers, agents, jobs } = registrationGroups
  return {
    ...{ status, problem, log: { id: logId, generation, entry: sequence }, zxid: tree.zxid },
    ...{ nodes: countOf(tree, '/'), sessions },
    brokers: registered(tree, brokers),
    agents: registered(tree, agents),
    jobs: registered(tree, jobs),
  }
}

export function statusText(listing: CoordinationListing, columns: number): string {
  const { status, problem, log, zxid, nodes, sessions } = listing
  const lines = [
    `status    ${status}${problem === undefined ? '' : `: ${problem}`}`,
    `log       generation ${log.generation}, entry ${log.entry}, id ${log.id}`,
    `tree      ${nodes} nodes, zxid ${zxid}`,
    ...section('brokers', Object.keys(listing.brokers)),
    ...section('agents', Object.keys(listing.agents)),
    ...section('jobs', Object.keys(listing.jobs)),
    `sessions  ${sessions.length}`,
    ...sessions.map(({ name, timeoutMs, unheardMs }) => {
      return `  ${name}  heard ${unheardMs} ms ago by the log's clock, expires after ${timeoutMs} ms`
    }),
  ]
  // A problem is longer than a line, and is printed whole.
  return lines.map((line, at) => (at === 0 ? harmless(line) : clip(line, columns))).join('\n')
}

/** Paths below a node, parents first; undefined if it does not exist. */
export function listing(
  tree: TreeReader,
  path: string,
  isRecursive: boolean,
): string[] | undefined {
  const names = tree.children(path)
  if (names === undefined) return undefined
  return names.flatMap((name) => {
    const child = path === '/' ? `/${name}` : `${path}/${name}`
    return [child, ...(isRecursive ? (listing(tree, child, true) ?? []) : [])]
  })
}

export function nodeText(path: string, { data, stat }: TreeNode, isJson: boolean): string {
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString()
  return isJson ? JSON.stringify({ path, data: text, stat }, null, 2) : harmless(text)
}

function section(title: string, names: readonly string[]): string[] {
  return [`${title.padEnd(10)}${names.length === 0 ? '-' : names.join(', ')}`]
}

function registered(tree: TreeReader, group: string): Record<string, unknown> {
  const names = tree.children(group) ?? []
  return Object.fromEntries(
    names.map((name) => [name, parsed(tree.get(`${group}/${name}`)?.data ?? Buffer.alloc(0))]),
  )
}

function parsed(data: Uint8Array): unknown {
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString()
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}

function countOf(tree: TreeReader, path: string): number {
  return 1 + (listing(tree, path, true)?.length ?? 0)
}
