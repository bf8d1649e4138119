// The health of an agent: the problems that its components report, and channels that are nearly
// full. Reads memory only, so that it answers while a disk or a broker hangs.

import type { AgentReason } from './agentReasons.ts'
import type { Channel } from './channels/channel.ts'
import type { ComponentWatch } from './componentWatch.ts'

export interface HealthSources {
  readonly watches: () => Iterable<ComponentWatch>
  readonly channels: readonly Channel[]
  readonly isStopping: () => boolean
  /** The error with which the agent failed as a whole. */
  readonly failure: () => Error | undefined
}

/** Share of a channel's capacity from which it counts as full. */
const fullShare = 0.95

export function agentTroubles(sources: HealthSources): AgentReason[] {
  const failure = sources.failure()
  if (failure) return [{ code: 'AGENT_FAILED', message: failure.message }]
  if (sources.isStopping()) return [{ code: 'STOPPING', message: 'the agent is stopping' }]
  const components = [...sources.watches()].flatMap((watch) => watch.reasons())
  return [...components, ...sources.channels.flatMap(full)]
}

function full({ name, size, capacity }: Channel): AgentReason[] {
  if (size < capacity * fullShare) return []
  const message = `channel ${name} holds ${size} of ${capacity} events: its sinks are slower than its sources; check the sinks or raise capacity`
  return [{ code: 'CHANNEL_FULL', message }]
}
