// Decides whether an agent may start: it must move events. Flume would start an agent that moves
// nothing, or that stops once a channel is full; here it is refused, and the message lists every
// problem, errors first (docs/decisions/0023-when-an-agent-starts.md).

import type { Channel } from './channels/channel.ts'
import {
  type AgentConfiguration,
  type ConfigurationProblem,
  formatProblem,
} from './configuration/flumeConfiguration.ts'
import { AgentError } from './errors.ts'

/**
 * A configuration from which no agent can be started; the message lists the reason and all
 * problems.
 */
export class ConfigurationRefused extends AgentError {
  readonly problems: readonly ConfigurationProblem[]
  constructor(reason: string, problems: readonly ConfigurationProblem[]) {
    super('CONFIGURATION', [reason, ...problemLines(problems)].join('\n'))
    this.problems = problems
  }
}

/** Formats problems as `error: file:line: property: message`, errors before warnings. */
export function problemLines(problems: readonly ConfigurationProblem[]): string[] {
  const line = (problem: ConfigurationProblem) => `${problem.severity}: ${formatProblem(problem)}`
  const of = (severity: ConfigurationProblem['severity']) =>
    problems.filter((problem) => problem.severity === severity).map(line)
  return [...of('error'), ...of('warning')]
}

export interface PlannedFlow {
  readonly channels: readonly Channel[]
  readonly sources: readonly { readonly name: string; readonly required: readonly Channel[] }[]
  readonly sinks: readonly { readonly name: string; readonly channel: Channel }[]
}

/** Returns why the agent must not start; undefined when it may. */
export function refusalOf(
  { name, components }: AgentConfiguration,
  { channels, sources, sinks }: PlannedFlow,
): string | undefined {
  const lacks = (what: string) => `agent ${name} is not started: it has ${what}`
  const none = (kind: 'channels' | 'sources' | 'sinks') => {
    const one = kind.slice(0, -1)
    return components[kind].length > 0
      ? `no valid ${one}`
      : `no ${one} (${name}.${kind} lists none)`
  }
  if (channels.length === 0) return lacks(none('channels'))
  if (sources.length === 0 && sinks.length === 0) {
    return lacks(`${none('sources')} and ${none('sinks')}`)
  }
  if (sinks.length === 0) return lacks(`${none('sinks')}, so nothing would leave its channels`)
  // An agent without a source may drain a file channel that an earlier run filled.
  const drains = components.sources.length === 0 && sinks.some(({ channel }) => isDurable(channel))
  if (sources.length === 0 && !drains) return lacks(none('sources'))
  const drained = new Set(sinks.map(({ channel }) => channel))
  for (const source of sources) {
    const full = source.required.find((channel) => !drained.has(channel))
    if (full === undefined) continue
    return lacks(
      `no valid sink for channel ${full.name}, which would fill up and stop source ${source.name}`,
    )
  }
  return undefined
}

function isDurable({ type }: Channel): boolean {
  return type !== 'memory'
}
