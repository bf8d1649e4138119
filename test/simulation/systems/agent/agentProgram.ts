// The process of a simulated agent: what the command line of an agent does, without one.

import { type Agent, startAgent } from '../../../../agent/agent.ts'
import type { Logger } from '../../../../protocol/telemetry/logging/logger.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import { type AgentParameters, flumeConfiguration, logDirectory } from './agentParameters.ts'
import type { ChannelSpace } from './channelSpace.ts'
import { changingInterceptor, dividingSelector } from './lineComponents.ts'
import type { ReusedInodes } from './reusedInodes.ts'

export const agentProcess = 'agent'

export interface AgentRun {
  readonly process: SimulatedProcess
  /** Undefined while it starts. */
  agent: Agent | undefined
  isStopRequested: boolean
  /** Events that each channel recovered. */
  recovered: readonly number[]
}

/** Starts an agent; rejects if it cannot start. Ends the process when the agent has failed. */
export async function runAgent(
  run: AgentRun,
  parameters: AgentParameters,
  inodes: ReusedInodes,
  space: ChannelSpace,
  logger: Logger,
): Promise<void> {
  const { process } = run
  const { name } = process.host
  const agent = await startAgent({
    runtime: { ...process.runtime, disk: space.limit(inodes.diskOf(process, logDirectory)) },
    logger,
    name: 'a1',
    configuration: flumeConfiguration(parameters),
    baseDirectory: '/',
    host: { name, fullName: `${name}.example`, address: '10.0.0.1' },
    interceptorTypes: [changingInterceptor],
    selectorTypes: [dividingSelector],
  })
  run.agent = agent
  run.recovered = agent.figures().channels.map(({ counter }) => counter.ChannelSize)
  agent.failed.catch((error: unknown) => process.end('failed', error))
  if (run.isStopRequested) stopNow(run, agent)
}

/** Stops the agent as the command line does, and ends the process. */
export function stopAgent(run: AgentRun): void {
  if (run.isStopRequested) return
  run.isStopRequested = true
  if (run.agent !== undefined) stopNow(run, run.agent)
}

function stopNow({ process }: AgentRun, agent: Agent): void {
  void agent.stop().then(() => process.exit())
}

/** Bound of an orderly stop, in ms, as docs/flume-differences.md says, with the drain before. */
export function stopBoundMs({ channels }: AgentParameters): number {
  const startMs = 10_000
  const sourcesMs = 10_000
  const drainMs = 5000
  const sinksMs = 10_000
  const reportsMs = 10_000
  return startMs + sourcesMs + drainMs + sinksMs + reportsMs + 10_000 * channels.length
}
