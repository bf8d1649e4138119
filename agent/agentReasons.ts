// The codes of an agent's health problems. docs/logs-and-health.md lists them.

import type { CodedReason, ReasonSpec } from '../protocol/operations/health.ts'

export const agentReasons = {
  STARTING: {
    kind: 'not ready',
    meaning: 'The agent is opening its channels; a file channel replays its log first.',
  },
  STOPPING: {
    kind: 'not ready',
    meaning: 'The agent is stopping: sources stop first, then sinks, then channels.',
  },
  RELOADING: {
    kind: 'not ready',
    meaning: 'The configuration has changed: the agent restarts with the new one.',
  },
  AGENT_FAILED: {
    kind: 'unhealthy',
    meaning: 'The agent cannot continue and exits.',
  },
  COMPONENT_FAILING: {
    kind: 'not ready',
    meaning: 'A source or a sink failed; it is restarted after at most ten seconds.',
  },
  SINK_FAILING: {
    kind: 'not ready',
    meaning:
      'A sink cannot deliver: its cluster is unreachable or refuses the events, which wait in the channel.',
  },
  SOURCE_FAILING: {
    kind: 'not ready',
    meaning: 'A source cannot read: its command has exited or failed to start.',
  },
  SOURCE_BLOCKED: {
    kind: 'not ready',
    meaning:
      'A channel refuses the events of a source: it is full or cannot be written. The source retries the put before it reads on.',
  },
  FILES_UNREADABLE: {
    kind: 'warning',
    meaning: 'A taildir source skips files that cannot be read and follows the others.',
  },
  CHANNEL_FULL: {
    kind: 'warning',
    meaning: 'A channel is full or nearly full: its sinks are slower than its sources.',
  },
  CONFIGURATION_REFUSED: {
    kind: 'warning',
    meaning:
      'The changed configuration cannot be read or is invalid: the agent keeps the current one.',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>>

type AgentReasonCode = keyof typeof agentReasons
export type AgentReason = CodedReason<AgentReasonCode>
