// Decides whether an agent starts: it must move events. An agent that Flume would start, and that would
// move nothing or stop once a channel is full, is refused with every problem found, the errors first
// (docs/decisions/0023-when-an-agent-starts.md).

import type { Channel } from './channels/channel.ts'
import {
  type AgentConfiguration,
  type ConfigurationProblem,
  formatProblem,
} from './configuration/flumeConfiguration.ts'
import { AgentError } from './errors.ts'

/** No agent can be made of a configuration; the message has a line for the reason and each problem. */
export class ConfigurationRefused extends AgentError {
  readonly problems: readonly ConfigurationProblem[]
  constructor(reason: string, problems: readonly ConfigurationProblem[]) {
    super('CONFIGURATION', [reason, ...problemLines(problems)].join('\n'))
    this.problems = problems
  }
}

/** `error: file:line: property: message`, errors before warnings. */
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
  // Without a source, an agent may still empty a file channel that an earlier run has filled.
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
