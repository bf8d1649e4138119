// The structure of flume.conf: `<agent>.<sources|channels|sinks|...>.<name>.<key> = value`. Groups
// the properties by agent and component. A property that fits nowhere is ignored with a warning, as
// in Flume; nothing is thrown here.

import { suggestion } from '../../protocol/configuration/nearestName.ts'
import type { Property } from './properties.ts'

const componentKinds = ['sources', 'channels', 'sinks', 'sinkgroups', 'configfilters'] as const
export type ComponentKind = (typeof componentKinds)[number]

/** A problem of a configuration file; `line` is 0 for a property that is not set. */
export interface ConfigurationProblem {
  /** A component with an error is dropped; a warning has no consequence. */
  readonly severity: 'error' | 'warning'
  readonly file: string
  readonly line: number
  readonly property: string
  readonly message: string
}

/** The properties of one component; keys are without the component's name. */
export interface ComponentConfiguration {
  readonly kind: ComponentKind
  readonly name: string
  /** `<agent>.<kind>.<name>`, for messages. */
  readonly path: string
  readonly file: string
  readonly properties: ReadonlyMap<string, Property>
}

export interface AgentConfiguration {
  readonly name: string
  /** The components that the agent's lists name, in the order of the lists. */
  readonly components: Readonly<Record<ComponentKind, readonly ComponentConfiguration[]>>
}

export interface FlumeConfiguration {
  readonly agents: ReadonlyMap<string, AgentConfiguration>
  readonly problems: readonly ConfigurationProblem[]
}

interface RawAgent {
  readonly lists: Map<ComponentKind, Property>
  /** `<kind>.<name>` to the component's properties. */
  readonly properties: Map<string, Map<string, Property>>
}

export function readFlumeConfiguration(
  properties: ReadonlyMap<string, Property>,
): FlumeConfiguration {
  const problems: ConfigurationProblem[] = []
  const raw = new Map<string, RawAgent>()
  for (const property of properties.values()) sort(property, raw, problems)
  const agents = new Map<string, AgentConfiguration>()
  for (const [name, agent] of raw) agents.set(name, assemble(name, agent, problems))
  return { agents, problems }
}

/** Formats a problem as `file:line: property: message`. */
export function formatProblem(problem: ConfigurationProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}`
  return `${place}: ${problem.property}: ${problem.message}`
}

function sort(
  property: Property,
  agents: Map<string, RawAgent>,
  problems: ConfigurationProblem[],
): void {
  const complain = (message: string) => problems.push(problemOf(property, message))
  const key = property.key.trim()
  const value = property.value.trim()
  if (value === '') return void complain('ignored: empty value')
  const [agentName, kind, ...rest] = key.split('.')
  if (!agentName || !kind)
    return void complain('ignored: a key starts with the name of an agent and a dot')
  if (!isKind(kind)) {
    const meant = suggestion(kind, componentKinds)
    const kinds = componentKinds.join(', ')
    return void complain(
      `ignored: after the name of the agent, a key needs one of ${kinds}${meant}`,
    )
  }
  const agent = agentOf(agents, agentName)
  if (rest.length === 0) return void agent.lists.set(kind, { ...property, value })
  const [name, ...inner] = rest
  if (!name || inner.length === 0 || inner[0] === '') {
    return void complain(`ignored: expected ${agentName}.${kind}.<name>.<key>`)
  }
  const id = `${kind}.${name}`
  const component = agent.properties.get(id) ?? new Map<string, Property>()
  agent.properties.set(id, component.set(inner.join('.'), { ...property, key, value }))
}

function agentOf(agents: Map<string, RawAgent>, name: string): RawAgent {
  const agent = agents.get(name) ?? { lists: new Map(), properties: new Map() }
  agents.set(name, agent)
  return agent
}

function assemble(
  agentName: string,
  raw: RawAgent,
  problems: ConfigurationProblem[],
): AgentConfiguration {
  const listed = new Set<string>()
  const components = Object.fromEntries(
    componentKinds.map((kind) => {
      const list = raw.lists.get(kind)
      const names = list === undefined ? [] : [...new Set(list.value.split(/\s+/))]
      const configurations = names.map((name): ComponentConfiguration => {
        const id = `${kind}.${name}`
        listed.add(id)
        const path = `${agentName}.${id}`
        const properties = raw.properties.get(id) ?? new Map<string, Property>()
        return { kind, name, path, file: list!.file, properties }
      })
      return [kind, configurations]
    }),
  ) as unknown as AgentConfiguration['components']
  for (const [id, properties] of raw.properties) {
    if (listed.has(id)) continue
    const [first] = properties.values()
    const kind = id.slice(0, id.indexOf('.'))
    const name = id.slice(kind.length + 1)
    const meant = suggestion(name, raw.lists.get(kind as ComponentKind)?.value.split(/\s+/) ?? [])
    problems.push(
      problemOf(first!, `${agentName}.${kind} does not list this component: ignored${meant}`),
    )
  }
  return { name: agentName, components }
}

export function problemOf(
  { file, line, key }: Property,
  message: string,
  severity: ConfigurationProblem['severity'] = 'warning',
): ConfigurationProblem {
  return { severity, file, line, property: key.trim(), message }
}

function isKind(text: string): text is ComponentKind {
  return (componentKinds as readonly string[]).includes(text)
}
