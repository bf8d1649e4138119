// The commands of `millrace coordination`: connect as a member without a session, or read the copy
// of a stopped process.

import { existsSync } from 'node:fs'
import type { Coordination } from '../../coordination/coordination.ts'
import type { LogHistory } from '../../coordination/log/coordinationLog.ts'
import { readLocalCopy } from '../../coordination/log/localCopy.ts'
import { repairNatsLog } from '../../coordination/log/nats/natsRepair.ts'
import { repairedHistory } from '../../coordination/member/repair.ts'
import { Replica } from '../../coordination/member/replica.ts'
import { connectPlanned, openNatsCoordination } from '../../coordination/natsCoordination.ts'
import type { NatsPlan } from '../../coordination/natsOptions.ts'
import { readNatsPlan } from '../../coordination/programRegistration.ts'
import { nodeDisk } from '../../runtime/disk/nodeDisk.ts'
import { tcpNetwork } from '../../runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../runtime/nodeRuntime.ts'
import { type Logger, silentLogger } from '../../telemetry/logging/logger.ts'
import { CommandError } from '../commandError.ts'
import { firstStopSignal } from '../stopSignals.ts'
import { listing, nodeText, type Source, statusOf, statusText } from './coordinationListing.ts'

interface SourceOptions {
  readonly config?: string
  readonly directory?: string
  readonly json?: boolean
}

interface PathOptions extends SourceOptions {
  readonly path: string
}

const runtime = nodeRuntime(tcpNetwork)
const name = 'millrace coordination'
/** Warnings about the servers are for the person who runs the command. */
const logger: Logger = {
  ...silentLogger,
  warn: (_fields, message) => void process.stderr.write(`millrace: ${message}\n`),
}

export async function statusCommand(options: SourceOptions): Promise<void> {
  await withSource(options, (source) => {
    const status = statusOf(source)
    print(options.json ? JSON.stringify(status, null, 2) : statusText(status, columns()))
  })
}

export async function listCommand(options: PathOptions & { recursive?: boolean }): Promise<void> {
  await withSource(options, ({ tree }) => {
    const paths = listing(tree, options.path, options.recursive ?? false)
    if (paths === undefined) throw missing(options.path)
    print(options.json ? JSON.stringify(paths) : paths.join('\n'))
  })
}

export async function getCommand(options: PathOptions): Promise<void> {
  await withSource(options, ({ tree }) => {
    const node = tree.get(options.path)
    if (node === undefined) throw missing(options.path)
    print(nodeText(options.path, node, options.json ?? false))
  })
}

export async function watchCommand({ path, config }: PathOptions): Promise<void> {
  const stopped = firstStopSignal()
  const coordination = await open(await readNatsPlan(nodeDisk, config!))
  coordination.watch(path, 'recursive', {
    onEvent: (event) => print(`${event.type.padEnd(7)} ${event.path}`),
  })
  coordination.onStatus((status) => print(`(${status})`))
  await stopped
  await coordination.close()
}

interface RepairOptions {
  readonly config: string
  readonly from: string
  readonly yes?: boolean
}

export async function repairCommand({ config, from, yes }: RepairOptions): Promise<void> {
  const plan = await readNatsPlan(nodeDisk, config)
  const { random } = runtime
  const history = await copyIn(from)
  const repaired = repairedHistory(history, random)
  const { generation } = repaired.identity
  print(statusText(statusOf(sourceOf(history)), columns()))
  if (!yes) {
    print(
      `\nThis becomes generation ${generation} of the log ${plan.logName}. Changes that ${from} does ` +
        'not have are lost. All members continue with it by themselves.\nRepeat with --yes to repair.',
    )
    return
  }
  const { link, replicas } = await connectPlanned({ runtime, logger, plan, name })
  try {
    const target = { link, name: plan.logName, replicas, random }
    const { stream, oldStream, isOldSealed } = await repairNatsLog(target, repaired)
    print(`\nRepaired: the log continues in the stream ${stream}.`)
    if (oldStream === undefined) return
    const state = isOldSealed ? 'is sealed and kept' : 'could not be sealed, and is kept'
    print(`The stream ${oldStream} ${state}: delete it when nobody needs to look into it.`)
  } finally {
    await link.close()
  }
}

async function withSource(options: SourceOptions, use: (source: Source) => void): Promise<void> {
  const { config, directory } = options
  if ((config === undefined) === (directory === undefined)) {
    throw new CommandError('give either --config FILE or --directory DIRECTORY')
  }
  if (directory !== undefined) {
    use(sourceOf(await copyIn(directory)))
    return
  }
  const coordination = await open(await readNatsPlan(nodeDisk, config!))
  try {
    const { tree, status, problem } = coordination
    use({ tree, status, problem, ...coordination.figures() })
  } finally {
    await coordination.close()
  }
}

/** Does not wait for servers that cannot be reached. */
function open(plan: NatsPlan): Promise<Coordination> {
  const signal = AbortSignal.abort()
  return openNatsCoordination({ runtime, logger, plan, name, signal })
}

async function copyIn(directory: string): Promise<LogHistory> {
  const history = existsSync(directory) ? await readLocalCopy(directory) : undefined
  if (history !== undefined) return history
  throw new CommandError(
    `${directory} has no copy of a coordination log: name __coordination_copy (or __coordination, if ` +
      'coordination was embedded) in the data directory of a stopped broker',
  )
}

function sourceOf(history: LogHistory): Source {
  const replica = new Replica(history, () => {})
  const { state, sequence, identity } = replica
  const sessions = [...state.sessions.values()].map((session) => {
    return { ...session, unheardMs: state.clockMs - session.lastHeardMs }
  })
  return {
    ...{ tree: replica.tree, status: undefined, problem: undefined, sequence, sessions },
    ...{ generation: identity.generation, logId: identity.id },
  }
}

function missing(path: string): CommandError {
  return new CommandError(`${path} does not exist`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function columns(): number {
  return process.stdout.columns ?? 80
}
