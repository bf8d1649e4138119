// Health of an agent: problems that its components report, and the fill level of its channels. Reads
// memory only.

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

/** Of a channel; what is fuller has room for a moment only. */
const fullShare = 0.95

export function agentTroubles(sources: HealthSources): AgentReason[] {
  const failure = sources.failure()
  if (failure) return [{ code: 'AGENT_FAILED', message: failure.message }]
  if (sources.isStopping()) return [{ code: 'STOPPING', message: 'the agent is being stopped' }]
  const components = [...sources.watches()].flatMap((watch) => watch.reasons())
  return [...components, ...sources.channels.flatMap(full)]
}

function full({ name, size, capacity }: Channel): AgentReason[] {
  if (size < capacity * fullShare) return []
  const message = `channel ${name} holds ${size} of ${capacity} events: its sinks are slower than its sources; look at the sinks, or raise capacity`
  return [{ code: 'CHANNEL_FULL', message }]
}
