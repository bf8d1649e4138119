// Plans an agent from its configuration: its channels, and factories of its sources and sinks.
// Collects the problems of all components. A component with an error is dropped, as in Flume; an
// agent that would then move no events is refused (planVerdict.ts). Nothing is started here.

import { join } from 'node:path'
import type { Address } from '../protocol/runtime/network/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import { ChannelProcessor } from './channelProcessor.ts'
import type { Channel } from './channels/channel.ts'
import { channelTypes } from './channels/channelTypes.ts'
import { type BatchSize, typeOf } from './componentTypes.ts'
import {
  type AgentConfiguration,
  type ComponentConfiguration,
  type ConfigurationProblem,
  problemOf,
} from './configuration/flumeConfiguration.ts'
import {
  listOf,
  nested,
  unlistedNames,
  unresolvedReferences,
} from './configuration/namedComponents.ts'
import { checkOptions, OptionError, optionError, quoted } from './configuration/options.ts'
import type { HostIdentity } from './hostIdentity.ts'
import type { Interceptor } from './interceptors/interceptor.ts'
import { type InterceptorType, interceptorTypes } from './interceptors/interceptorTypes.ts'
import {
  type SinkCounter,
  type SinkProgress,
  SourceCounter,
  type SourceProgress,
} from './monitoring/counters.ts'
import { ConfigurationRefused, refusalOf } from './planVerdict.ts'
import type { Polled } from './polled.ts'
import { defaultSelectorType, type SelectorType, selectorTypes } from './selectors/selectorTypes.ts'
import { sinkTypes } from './sinks/sinkTypes.ts'
import type { StartProcess } from './sources/execProcess.ts'
import { sourceTypes } from './sources/sourceTypes.ts'

export interface PlanDependencies {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly host: HostIdentity
  readonly startProcess: StartProcess
  /** Base of relative paths, and the directory to which `~` expands. */
  readonly baseDirectory: string
  readonly homeDirectory: string
  /** In addition to the agent's own types. */
  readonly interceptorTypes?: readonly InterceptorType[]
  readonly selectorTypes?: readonly SelectorType[]
  /** Memory channels of the previous agent, with their events: see AgentPlan. */
  readonly recyclable?: ReadonlyMap<string, Channel>
}

interface PlannedSource {
  readonly name: string
  readonly type: string
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  readonly channels: readonly Channel[]
  /** The channels among `channels` that must get every event. */
  readonly required: readonly Channel[]
  readonly make: () => Polled
}

interface PlannedSink {
  readonly name: string
  readonly type: string
  readonly counter: SinkCounter
  readonly progress: SinkProgress
  readonly channel: Channel
  /** Of a Kafka sink. */
  readonly kafka: { readonly topic: string; readonly bootstrap: readonly Address[] } | undefined
  readonly make: () => Polled
}

export interface AgentPlan {
  readonly channels: readonly Channel[]
  readonly sources: readonly PlannedSource[]
  readonly sinks: readonly PlannedSink[]
  readonly problems: readonly ConfigurationProblem[]
  /** Memory channels by name and options: a later plan takes over those with an equal key. */
  readonly recyclable: ReadonlyMap<string, Channel>
}

/**
 * Plans one agent. `earlier` are problems of the file that concern this agent. Throws
 * ConfigurationRefused for an agent that would move no events.
 */
export function planAgent(
  configuration: AgentConfiguration,
  dependencies: PlanDependencies,
  earlier: readonly ConfigurationProblem[] = [],
): AgentPlan {
  const { components } = configuration
  const planner = new Planner(dependencies)
  const channels = planner.each(components.channels, (one) => planner.channel(one))
  const byName = new Map(channels.map((channel) => [channel.name, channel]))
  const sources = planner.each(components.sources, (one) => planner.source(one, byName))
  const grouped = planner.failoverSinks(components.sinkgroups)
  const sinks = planner.each(components.sinks, (one) => planner.sink(one, byName, grouped))
  for (const filter of components.configfilters) {
    planner.warnAbout(
      filter,
      'config filters are not supported yet: a value that refers to this one is an error',
    )
  }
  const used = new Set([...sources.flatMap((source) => source.channels), ...sinks.map(channelOf)])
  const named = new Set([
    ...components.sources.flatMap((source) => listOf(source, 'channels')),
    ...components.sinks.flatMap((sink) => listOf(sink, 'channel')),
  ])
  for (const component of components.channels) {
    if (named.has(component.name)) continue
    planner.warnAbout(component, 'no source or sink uses this channel: the channel is dropped')
  }
  const problems = [...earlier, ...planner.problems]
  const refusal = refusalOf(configuration, { channels, sources, sinks })
  if (refusal !== undefined) throw new ConfigurationRefused(refusal, problems)
  const recyclable = new Map([...planner.recyclable].filter(([, channel]) => used.has(channel)))
  return { channels: [...used], sources, sinks, problems, recyclable }
}

function channelOf({ channel }: PlannedSink): Channel {
  return channel
}

class Planner {
  readonly problems: ConfigurationProblem[] = []
  readonly recyclable = new Map<string, Channel>()
  readonly #dependencies: PlanDependencies
  /** Whether the component being planned has an error. */
  #isBroken = false

  constructor(dependencies: PlanDependencies) {
    this.#dependencies = dependencies
  }

  /** Returns the plans of the components, without those that have errors. */
  each<T>(
    components: readonly ComponentConfiguration[],
    plan: (component: ComponentConfiguration) => T | undefined,
  ): T[] {
    return components.flatMap((component) => {
      this.#isBroken = false
      const from = this.problems.length
      this.#add(unresolvedReferences(component))
      const planned = this.#attempt(() => plan(component))
      if (!this.#isBroken && planned !== undefined) return [planned]
      this.#markDropped(component, from)
      return []
    })
  }

  channel(component: ComponentConfiguration): Channel | undefined {
    const { runtime, logger, recyclable } = this.#dependencies
    const type = typeOf(channelTypes, component)
    this.#add(checkOptions(type.options, component))
    if (this.#isBroken) return undefined
    const { clock, disk, scheduler, rarePoints } = runtime
    const resolvePath = this.#resolvePath
    const around = { clock, disk, scheduler, rarePoints, logger, resolvePath }
    if (!type.isRecyclable) return type.make(component, around)
    const identity = identityOf(component)
    const channel = recyclable?.get(identity) ?? type.make(component, around)
    this.recyclable.set(identity, channel)
    return channel
  }

  source(
    component: ComponentConfiguration,
    channels: ReadonlyMap<string, Channel>,
  ): PlannedSource | undefined {
    const type = this.#attempt(() => typeOf(sourceTypes, component))
    const selector = this.#attempt(() => {
      const types = [...selectorTypes, ...(this.#dependencies.selectorTypes ?? [])]
      return typeOf(types, component, 'selector.type', defaultSelectorType)
    })
    const mine = this.#attempt(() => channelsOf(component, channels)) ?? []
    const interceptors = this.#interceptors(component)
    if (type === undefined || selector === undefined) return undefined
    const options = { ...type.options, ...selector.options }
    this.#add(checkOptions(options, component, ['interceptors', ...(type.nested ?? [])]))
    this.#add(missingChannels(component, channels))
    if (type.check !== undefined) this.#add(type.check(component))
    if (this.#isBroken) return undefined
    const { runtime, startProcess } = this.#dependencies
    const { clock, disk, rarePoints } = runtime
    const { name } = component
    const logger = this.#dependencies.logger.child({ source: name })
    const counter = new SourceCounter()
    const progress: SourceProgress = { bytesRead: 0 }
    const selected = selector.make(component, mine)
    const { batchSize, make } = type.plan(component, {
      clock,
      disk,
      rarePoints,
      logger,
      counter,
      progress,
      processor: new ChannelProcessor(interceptors, selected, counter, logger),
      startProcess,
      resolvePath: this.#resolvePath,
    })
    checkBatchSize(component, batchSize, mine)
    const { required } = selected
    return { name, type: type.alias, counter, progress, channels: mine, required, make }
  }

  sink(
    component: ComponentConfiguration,
    channels: ReadonlyMap<string, Channel>,
    failoverGroups: ReadonlyMap<string, string>,
  ): PlannedSink | undefined {
    const type = this.#attempt(() => typeOf(sinkTypes, component))
    const channel = this.#attempt(() => channelOfSink(component, channels))
    const { name } = component
    this.#attempt(() => checkGroup(component, failoverGroups.get(name)))
    if (type === undefined) return undefined
    this.#add(checkOptions(type.options, component))
    if (channel === undefined || this.#isBroken) return undefined
    const { runtime, host } = this.#dependencies
    const logger = this.#dependencies.logger.child({ sink: name })
    const own = { ...runtime, random: runtime.random.fork(`sink ${name}`) }
    const planned = type.plan(component, { runtime: own, logger, host, channel })
    const { counter, progress, batchSize, kafka, make } = planned
    if (batchSize !== undefined) checkBatchSize(component, batchSize, [channel])
    return { name, type: type.alias, counter, progress, channel, kafka, make }
  }

  /** Maps the sinks of failover groups to the name of their group. */
  failoverSinks(groups: readonly ComponentConfiguration[]): Map<string, string> {
    const found = new Map<string, string>()
    for (const group of groups) {
      const type = group.properties.get('processor.type')?.value ?? 'default'
      if (type.toLowerCase() === 'default') continue
      if (type.toLowerCase() === 'failover') {
        for (const name of listOf(group, 'sinks')) found.set(name, group.name)
        continue
      }
      this.warnAbout(
        group,
        `sink groups of type ${type} are not supported yet: the sinks run independently and share the events of their channel`,
      )
    }
    return found
  }

  warnAbout({ file, path }: ComponentConfiguration, message: string): void {
    this.problems.push({ severity: 'warning', file, line: 0, property: path, message })
  }

  #interceptors(source: ComponentConfiguration): Interceptor[] {
    this.#add(unlistedNames(source, 'interceptors'))
    const { runtime, host } = this.#dependencies
    const { clock } = runtime
    const types = [...interceptorTypes, ...(this.#dependencies.interceptorTypes ?? [])]
    return listOf(source, 'interceptors').flatMap((name) => {
      const component = nested(source, `interceptors.${name}`)
      const made = this.#attempt(() => {
        const type = typeOf(types, component)
        this.#add(checkOptions(type.options, component, [], 'interceptors'))
        return type.make(component, { clock, host })
      })
      return made ?? []
    })
  }

  #add(problems: readonly ConfigurationProblem[]): void {
    this.problems.push(...problems)
    if (problems.some(({ severity }) => severity === 'error')) this.#isBroken = true
  }

  /** Returns undefined when an option is invalid; each problem is recorded once. */
  #attempt<T>(make: () => T): T | undefined {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
      const { problem } = error
      const isKnown = this.problems.some(
        (other) => other.property === problem.property && other.message === problem.message,
      )
      this.#add(isKnown ? [] : [problem])
      this.#isBroken = true
      return undefined
    }
  }

  /** Appends to a component's last error that the component is dropped. */
  #markDropped(component: ComponentConfiguration, from: number): void {
    for (let at = this.problems.length - 1; at >= from; at--) {
      const problem = this.problems[at]!
      if (problem.severity !== 'error') continue
      const message = `${problem.message}; ${component.path} is dropped`
      this.problems[at] = { ...problem, message }
      return
    }
  }

  readonly #resolvePath = (path: string): string => {
    const { baseDirectory, homeDirectory } = this.#dependencies
    if (path === '~' || path.startsWith('~/')) return join(homeDirectory, path.slice(1))
    return path.startsWith('/') ? path : join(baseDirectory, path)
  }
}

/** Returns the valid channels of a source; fails with an OptionError when none is valid. */
function channelsOf(
  source: ComponentConfiguration,
  channels: ReadonlyMap<string, Channel>,
): Channel[] {
  const key = 'channels'
  if (!source.properties.has(key))
    throw misnamed(source, key, 'channel', 'a source needs at least one channel')
  const mine = listOf(source, key).flatMap((name) => channels.get(name) ?? [])
  if (mine.length === 0) throw noChannel(source, key, channels)
  return mine
}

function channelOfSink(
  sink: ComponentConfiguration,
  channels: ReadonlyMap<string, Channel>,
): Channel {
  const key = 'channel'
  if (!sink.properties.has(key))
    throw misnamed(sink, key, 'channels', 'a sink needs exactly one channel')
  const channel = channels.get(sink.properties.get(key)!.value)
  if (channel === undefined) throw noChannel(sink, key, channels)
  return channel
}

/** The error for a channel key that is not set; it names the line with `other`, if there is one. */
function misnamed(
  component: ComponentConfiguration,
  key: string,
  other: string,
  rule: string,
): OptionError {
  if (!component.properties.has(other)) {
    return optionError(component, key, `required, but not set: ${rule}`)
  }
  return optionError(component, other, `${rule}: use ${component.path}.${key}`)
}

function noChannel(
  component: ComponentConfiguration,
  key: string,
  channels: ReadonlyMap<string, Channel>,
): OptionError {
  const value = quoted(component.properties.get(key)!.value)
  const names = [...channels.keys()].join(', ')
  const valid = names === '' ? 'the agent has none' : `the agent has ${names}`
  return optionError(component, key, `${value} is not a valid channel: ${valid}`)
}

/** Warns of invalid channels of a source that has a valid one, as Flume does. */
function missingChannels(
  source: ComponentConfiguration,
  channels: ReadonlyMap<string, Channel>,
): ConfigurationProblem[] {
  const property = source.properties.get('channels')
  const missing = listOf(source, 'channels').filter((name) => !channels.has(name))
  if (property === undefined || missing.length === listOf(source, 'channels').length) return []
  return missing.map((name) =>
    problemOf(property, `${name} is not a valid channel: no event is put there`),
  )
}

/** Refuses a sink of a failover group: run independently, all its sinks would deliver events. */
function checkGroup(sink: ComponentConfiguration, group: string | undefined): void {
  if (group === undefined) return
  const message = `sink group ${group} is of type failover, which is not supported yet`
  throw optionError(sink, 'channel', message)
}

/** A key that is equal for components with equal names and options. */
function identityOf({ name, properties }: ComponentConfiguration): string {
  const pairs = [...properties].map(([key, { value }]) => [key, value])
  return JSON.stringify([name, ...pairs.sort()])
}

/** Refuses a batch that is larger than a transaction: it would fail at every retry. */
function checkBatchSize(
  component: ComponentConfiguration,
  { key, events }: BatchSize,
  channels: readonly Channel[],
): void {
  for (const { name, transactionCapacity } of channels) {
    if (events <= transactionCapacity) continue
    throw optionError(
      component,
      key,
      `a batch of ${events} events exceeds the transactionCapacity (${transactionCapacity}) of channel ${name}: lower the batch size or raise transactionCapacity`,
    )
  }
}
