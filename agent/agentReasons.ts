// The codes of an agent's health problems. docs/logs-and-health.md lists them.

import type { CodedReason, ReasonSpec } from '../protocol/operations/health.ts'

export const agentReasons = {
  STARTING: {
    kind: 'not ready',
    meaning: 'The agent opens its channels; a file channel reads its log back first.',
  },
  STOPPING: {
    kind: 'not ready',
    meaning: 'The agent was told to stop: sources stop first, then sinks, then channels.',
  },
  RELOADING: {
    kind: 'not ready',
    meaning: 'The configuration has changed: the agent stops in order and starts with the new one.',
  },
  AGENT_FAILED: {
    kind: 'unhealthy',
    meaning: 'The agent cannot go on and ends.',
  },
  COMPONENT_FAILING: {
    kind: 'not ready',
    meaning: 'A source or a sink failed and is started again, ten seconds later at the latest.',
  },
  SINK_FAILING: {
    kind: 'not ready',
    meaning:
      'A sink cannot deliver: its cluster is away or refuses what is sent. Events wait in the channel.',
  },
  SOURCE_FAILING: {
    kind: 'not ready',
    meaning: 'A source cannot read: its command has ended or cannot be started.',
  },
  SOURCE_BLOCKED: {
    kind: 'not ready',
    meaning:
      'A source cannot put what it has read: a channel is full, or cannot be written. It reads no further and tries again.',
  },
  FILES_UNREADABLE: {
    kind: 'warning',
    meaning: 'A taildir source skips files that cannot be read, and follows the others.',
  },
  CHANNEL_FULL: {
    kind: 'warning',
    meaning: 'A channel has no room for what a source puts: its sinks are slower than its sources.',
  },
  CONFIGURATION_REFUSED: {
    kind: 'warning',
    meaning:
      'The configuration files have changed and cannot be read or used: the agent runs on as it was.',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>>

type AgentReasonCode = keyof typeof agentReasons
export type AgentReason = CodedReason<AgentReasonCode>
