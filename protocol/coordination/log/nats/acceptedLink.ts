// Connects to the servers of a coordination log: judges the servers, and judges those again to
// which it connects later. Rejects with COORDINATION_REFUSED and what to set, or with
// COORDINATION_UNAVAILABLE while no server can be reached: then it may be called again.

import { CoordinationError } from '../../coordinationError.ts'
import { connectNats, type LinkDependencies, type NatsLink } from './natsLink.ts'
import {
  inspectServers,
  judgeServers,
  type ServerChecks,
  type ServersVerdict,
} from './natsServers.ts'
import type { NatsSettings } from './natsSettings.ts'

export interface ConnectOptions extends LinkDependencies {
  readonly checks: ServerChecks
  /** Called with each thing that works but should not stay so. */
  readonly onWarning: (message: string) => void
}

export interface AcceptedLink {
  readonly link: NatsLink
  readonly replicas: number
}

/** A connection to servers that were judged. The caller closes it. */
export async function connectAccepted(
  settings: NatsSettings,
  options: ConnectOptions,
): Promise<AcceptedLink> {
  const link = await connectNats(settings, options)
  try {
    link.onProblem(options.onWarning)
    const { replicas } = await judge(link, options)
    link.onConnected((isConnected) => {
      if (isConnected) void judgeAgain(link, options)
    })
    return { link, replicas }
  } catch (error) {
    await link.close()
    throw error
  }
}

async function judge(
  link: NatsLink,
  { checks, onWarning, ...dependencies }: ConnectOptions,
): Promise<ServersVerdict> {
  const { servers, unreachable, silentServers } = await inspectServers(link, dependencies, checks)
  const verdict = judgeServers(servers, checks)
  for (const warning of verdict.warnings) onWarning(warning)
  if (unreachable.length > 0) {
    onWarning(
      `the NATS servers at ${unreachable.join(', ')} cannot be reached, so that their versions are ` +
        'not known: check that they are 2.12 or newer',
    )
  }
  if (silentServers > 0) {
    onWarning(
      `NATS servers that the system account knows did not answer: ${silentServers} of ` +
        `${servers.length + silentServers}; check that they run, are 2.12 or newer, and have ` +
        '"sync_interval: always"',
    )
  }
  return verdict
}

/** A server may have been replaced by an older one. The log goes on: it is damaged or it is not. */
async function judgeAgain(link: NatsLink, options: ConnectOptions): Promise<void> {
  try {
    const { server } = link
    if (server === undefined) return
    judgeServers([{ ...server, syncsAlways: true }], options.checks)
  } catch (error) {
    if (!(error instanceof CoordinationError)) throw error
    options.onWarning(error.message)
  }
}
