// From an agent's configuration to its parts: channels, and what makes sources and sinks. Every problem
// of every component is collected. A component with an error is dropped, as in Flume; an agent that
// would then move nothing is refused (planVerdict.ts). Nothing is started here.

import { join } from 'node:path'
import type { Address } from '../protocol/runtime/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import { ChannelProcessor } from './channelProcessor.ts'
import type { Channel } from './channels/channel.ts'
import { fileChannel, fileChannelOptions } from './channels/fileChannel.ts'
import { memoryChannel, memoryChannelOptions } from './channels/memoryChannel.ts'
import { componentType } from './componentTypes.ts'
import type {
  AgentConfiguration,
  ComponentConfiguration,
  ConfigurationProblem,
} from './configuration/flumeConfiguration.ts'
import { problemOf } from './configuration/flumeConfiguration.ts'
import { suggestion } from './configuration/nearestName.ts'
import {
  checkOptions,
  OptionError,
  type OptionTable,
  optionError,
  readOptions,
} from './configuration/options.ts'
import type { HostIdentity } from './hostIdentity.ts'
import { hostInterceptor, hostInterceptorOptions } from './interceptors/hostInterceptor.ts'
import type { Interceptor } from './interceptors/interceptor.ts'
import {
  timestampInterceptor,
  timestampInterceptorOptions,
} from './interceptors/timestampInterceptor.ts'
import {
  KafkaSinkCounter,
  SinkCounter,
  SourceCounter,
  type SourceProgress,
} from './monitoring/counters.ts'
import { ConfigurationRefused, refusalOf } from './planVerdict.ts'
import type { Polled } from './polled.ts'
import { replicatingSelector, replicatingSelectorOptions } from './selectors/replicatingSelector.ts'
import { KafkaSink } from './sinks/kafka/kafkaSink.ts'
import { kafkaSinkOptions, readKafkaSinkSettings } from './sinks/kafka/kafkaSinkOptions.ts'
import { LoggerSink, loggerSinkOptions } from './sinks/loggerSink.ts'
import { NullSink, nullSinkOptions } from './sinks/nullSink.ts'
import type { StartProcess } from './sources/execProcess.ts'
import { ExecSource, execOptions } from './sources/execSource.ts'
import { readTaildirOptions, taildirOptions } from './sources/taildir/taildirOptions.ts'
import { TaildirSource } from './sources/taildir/taildirSource.ts'

export interface PlanSurroundings {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly host: HostIdentity
  readonly startProcess: StartProcess
  /** Where relative paths start, and what `~` stands for. */
  readonly baseDirectory: string
  readonly homeDirectory: string
  /** Memory channels of the configuration before this one, which keep their events: see AgentPlan. */
  readonly recyclable?: ReadonlyMap<string, Channel>
}

export interface PlannedSource {
  readonly name: string
  readonly type: string
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  readonly channels: readonly Channel[]
  /** Those of `channels` that must have every event. */
  readonly required: readonly Channel[]
  readonly make: () => Polled
}

export interface PlannedSink {
  readonly name: string
  readonly type: string
  readonly counter: SinkCounter
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
  /** Memory channels, by their name and options: a later plan with the same ones takes them over. */
  readonly recyclable: ReadonlyMap<string, Channel>
}

/**
 * `earlier` are problems of the file that this agent has, too. Throws ConfigurationRefused for an
 * agent that would move nothing.
 */
export function planAgent(
  configuration: AgentConfiguration,
  surroundings: PlanSurroundings,
  earlier: readonly ConfigurationProblem[] = [],
): AgentPlan {
  const { components } = configuration
  const planner = new Planner(surroundings)
  const channels = planner.each(components.channels, (one) => planner.channel(one))
  const byName = new Map(channels.map((channel) => [channel.name, channel]))
  const sources = planner.each(components.sources, (one) => planner.source(one, byName))
  const grouped = planner.failoverSinks(components.sinkgroups)
  const sinks = planner.each(components.sinks, (one) => planner.sink(one, byName, grouped))
  for (const filter of components.configfilters) planner.warnAbout(filter, 'not supported yet')
  const used = new Set([...sources.flatMap((source) => source.channels), ...sinks.map(channelOf)])
  const named = new Set([
    ...components.sources.flatMap((source) => listOf(source, 'channels')),
    ...components.sinks.flatMap((sink) => listOf(sink, 'channel')),
  ])
  for (const component of components.channels) {
    if (named.has(component.name)) continue
    planner.warnAbout(component, 'no source or sink uses this channel: dropped')
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
  readonly #surroundings: PlanSurroundings
  /** Whether the component being planned has an error. */
  #isBroken = false

  constructor(surroundings: PlanSurroundings) {
    this.#surroundings = surroundings
  }

  /** What `plan` makes of each component, without those that have errors. */
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
    const { runtime, logger, recyclable } = this.#surroundings
    const { clock, disk } = runtime
    const type = componentType('channels', component)
    if (type === 'memory') {
      this.#check(memoryChannelOptions, component)
      if (this.#isBroken) return undefined
      const identity = identityOf(component)
      const channel = recyclable?.get(identity) ?? memoryChannel(component, clock)
      this.recyclable.set(identity, channel)
      return channel
    }
    this.#check(fileChannelOptions, component)
    if (this.#isBroken) return undefined
    return fileChannel(component, { clock, disk, logger, resolvePath: this.#resolvePath })
  }

  source(
    component: ComponentConfiguration,
    channels: ReadonlyMap<string, Channel>,
  ): PlannedSource | undefined {
    const type = this.#attempt(() => componentType('sources', component))
    const selector = this.#attempt(() => {
      return componentType('selectors', component, 'selector.type', 'replicating')
    })
    const mine = this.#attempt(() => channelsOf(component, channels)) ?? []
    const interceptors = this.#interceptors(component)
    if (type === undefined || selector === undefined) return undefined
    const counter = new SourceCounter()
    const progress: SourceProgress = { bytesRead: 0 }
    const { runtime, startProcess } = this.#surroundings
    const logger = this.#surroundings.logger.child({ source: component.name })
    const { clock, disk } = runtime
    const table = type === 'exec' ? execOptions : taildirOptions
    this.#check({ ...table, ...replicatingSelectorOptions }, component, [
      'interceptors',
      ...(type === 'taildir' ? ['filegroups'] : []),
    ])
    if (this.#isBroken) return undefined
    const selected = replicatingSelector(component, mine)
    const processor = new ChannelProcessor(interceptors, selected, counter, logger)
    const { required } = selected
    const common = { name: component.name, type, counter, progress, channels: mine, required }
    if (type === 'exec') {
      const options = readOptions(execOptions, component)
      checkBatchSize(component, 'batchSize', options.batchSize, mine)
      const around = { clock, logger, counter, processor, progress, startProcess }
      return { ...common, make: () => new ExecSource(options, around) }
    }
    this.#add(strayGroups(component))
    const { options, groups } = readTaildirOptions(component, this.#resolvePath)
    checkBatchSize(component, 'batchSize', options.batchSize, mine)
    const around = { clock, disk, logger, counter, processor, progress }
    return { ...common, make: () => new TaildirSource(component.name, groups, options, around) }
  }

  sink(
    component: ComponentConfiguration,
    channels: ReadonlyMap<string, Channel>,
    grouped: ReadonlyMap<string, string>,
  ): PlannedSink | undefined {
    const type = this.#attempt(() => componentType('sinks', component))
    const channel = this.#attempt(() => channelOfSink(component, channels))
    const { name } = component
    const group = grouped.get(name)
    if (group !== undefined) {
      this.#add([
        missingOf(
          component,
          'channel',
          `its group ${group} is failover, which is not supported yet`,
        ),
      ])
    }
    if (type === undefined) return undefined
    const { runtime } = this.#surroundings
    const logger = this.#surroundings.logger.child({ sink: name })
    this.#check(sinkOptions[type], component)
    if (channel === undefined || this.#isBroken) return undefined
    if (type === 'kafka') {
      const settings = readKafkaSinkSettings(component, this.#surroundings.host)
      checkBatchSize(component, settings.batchSizeKey, settings.batchSize, [channel])
      const counter = new KafkaSinkCounter()
      const around = { runtime, logger, counter }
      const { topic, bootstrap } = settings
      const make = () => new KafkaSink(name, channel, settings, around)
      return { name, type, counter, channel, kafka: { topic, bootstrap }, make }
    }
    const counter = new SinkCounter()
    const common = { name, type, counter, channel, kafka: undefined }
    if (type === 'logger') {
      const options = readOptions(loggerSinkOptions, component)
      return { ...common, make: () => new LoggerSink(channel, options, counter, logger) }
    }
    const options = readOptions(nullSinkOptions, component)
    checkBatchSize(component, 'batchSize', options.batchSize, [channel])
    return { ...common, make: () => new NullSink(channel, options, counter, logger) }
  }

  /** Sinks whose group is a failover one, to the group's name: run side by side, both would deliver. */
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
        `not supported yet: its sinks run side by side, and each takes what it can from the channel`,
      )
    }
    return found
  }

  warnAbout({ file, path }: ComponentConfiguration, message: string): void {
    this.problems.push({ severity: 'warning', file, line: 0, property: path, message })
  }

  #interceptors(source: ComponentConfiguration): Interceptor[] {
    const names = [...new Set(listOf(source, 'interceptors'))]
    this.#add(unlisted(source, 'interceptors', names))
    return names.flatMap((name) => {
      const component = nested(source, `interceptors.${name}`)
      return this.#attempt(() => this.#interceptor(component)) ?? []
    })
  }

  #interceptor(component: ComponentConfiguration): Interceptor | undefined {
    const { runtime, host } = this.#surroundings
    if (componentType('interceptors', component) === 'timestamp') {
      this.#check(timestampInterceptorOptions, component, [], 'interceptors')
      const options = readOptions(timestampInterceptorOptions, component)
      return timestampInterceptor(options, runtime.clock)
    }
    this.#check(hostInterceptorOptions, component, [], 'interceptors')
    return hostInterceptor(readOptions(hostInterceptorOptions, component), host)
  }

  #check(
    table: OptionTable,
    component: ComponentConfiguration,
    elsewhere: readonly string[] = [],
    kind?: Parameters<typeof checkOptions>[2],
  ): void {
    this.#add(checkOptions(table, component, kind, elsewhere))
  }

  #add(problems: readonly ConfigurationProblem[]): void {
    this.problems.push(...problems)
    if (problems.some(({ severity }) => severity === 'error')) this.#isBroken = true
  }

  /** Undefined when an option is wrong, which is noted unless it has been already. */
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

  /** The last error of a component says what becomes of it. */
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
    const { baseDirectory, homeDirectory } = this.#surroundings
    if (path === '~' || path.startsWith('~/')) return join(homeDirectory, path.slice(1))
    return path.startsWith('/') ? path : join(baseDirectory, path)
  }
}

const sinkOptions = {
  kafka: kafkaSinkOptions,
  logger: loggerSinkOptions,
  null: nullSinkOptions,
} as const satisfies Record<string, OptionTable>

/** `${sys:port}` without -Dport and its like: what would be used as it is written. */
function unresolvedReferences(component: ComponentConfiguration): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = []
  for (const property of component.properties.values()) {
    for (const reference of property.unresolved ?? []) {
      const system = /^\$\{sys:(.*)\}$/.exec(reference)?.[1]
      const environment = /^\$\{env:(.*)\}$/.exec(reference)?.[1]
      if (system !== undefined) {
        const message = `${reference} has no value: start the agent with -D${system}=VALUE`
        problems.push(problemOf(property, message, 'error'))
      } else if (environment !== undefined) {
        const message = `${reference} has no value: set the environment variable ${environment}`
        problems.push(problemOf(property, message, 'error'))
      } else if (reference.includes('[')) {
        const message = `${reference} has no value: config filters are not supported yet`
        problems.push(problemOf(property, message, 'error'))
      } else if (!property.key.endsWith('.command')) {
        // A shell has variables of its own; anywhere else this is a slip.
        const message = `${reference} stays as it is written: the file has no such key`
        problems.push(problemOf(property, message))
      }
    }
  }
  return problems
}

/** The channels that a source names, those that are valid; an OptionError when none is. */
function channelsOf(
  source: ComponentConfiguration,
  channels: ReadonlyMap<string, Channel>,
): Channel[] {
  const key = 'channels'
  if (!source.properties.has(key)) throw misnamed(source, key, 'channel', 'a source has channels')
  const mine = [...new Set(listOf(source, key))].flatMap((name) => channels.get(name) ?? [])
  if (mine.length === 0) throw optionError(source, key, noChannel(channels))
  return mine
}

function channelOfSink(
  sink: ComponentConfiguration,
  channels: ReadonlyMap<string, Channel>,
): Channel {
  const key = 'channel'
  if (!sink.properties.has(key)) throw misnamed(sink, key, 'channels', 'a sink has one channel')
  const channel = channels.get(sink.properties.get(key)!.value)
  if (channel === undefined) throw optionError(sink, key, noChannel(channels))
  return channel
}

/** The complaint is about the line with the other name, if there is one. */
function misnamed(
  component: ComponentConfiguration,
  key: string,
  other: string,
  rule: string,
): OptionError {
  if (!component.properties.has(other)) {
    return optionError(component, key, `missing, but required: ${rule}`)
  }
  return optionError(component, other, `${rule}: write ${component.path}.${key}`)
}

function noChannel(channels: ReadonlyMap<string, Channel>): string {
  const names = [...channels.keys()].join(', ')
  const valid = names === '' ? 'the agent has none' : `the agent has ${names}`
  return `names no valid channel: ${valid}`
}

/** File groups that no list names, and listed ones that are not defined: Flume ignores both. */
function strayGroups(source: ComponentConfiguration): ConfigurationProblem[] {
  const names = listOf(source, 'filegroups')
  const list = source.properties.get('filegroups')!
  const undefinedGroups = names
    .filter((name) => !source.properties.has(`filegroups.${name}`))
    .map((name) => problemOf(list, `group ${name} is ignored: ${list.key}.${name} is missing`))
  return [...unlisted(source, 'filegroups', names), ...undefinedGroups]
}

/** Keys below a list (`interceptors.i2.type`) whose name the list does not have. */
function unlisted(
  component: ComponentConfiguration,
  list: string,
  names: readonly string[],
): ConfigurationProblem[] {
  const reported = new Set<string>()
  return [...component.properties].flatMap(([key, property]) => {
    const name = key.startsWith(`${list}.`) ? key.slice(list.length + 1).split('.')[0]! : undefined
    if (name === undefined || names.includes(name) || reported.has(name)) return []
    reported.add(name)
    const meant = suggestion(name, names)
    return [problemOf(property, `${component.path}.${list} does not list ${name}: ignored${meant}`)]
  })
}

function missingOf(
  component: ComponentConfiguration,
  key: string,
  message: string,
): ConfigurationProblem {
  return optionError(component, key, message).problem
}

function listOf(component: ComponentConfiguration, key: string): string[] {
  return component.properties.get(key)?.value.split(/\s+/) ?? []
}

/** The same for two configurations that say the same of a component. */
function identityOf({ name, properties }: ComponentConfiguration): string {
  const pairs = [...properties].map(([key, { value }]) => [key, value])
  return JSON.stringify([name, ...pairs.sort()])
}

/** The keys of a component below a prefix, as a component of their own. */
function nested(component: ComponentConfiguration, prefix: string): ComponentConfiguration {
  const properties = new Map(
    [...component.properties]
      .filter(([key]) => key.startsWith(`${prefix}.`))
      .map(([key, property]) => [key.slice(prefix.length + 1), property]),
  )
  return { ...component, path: `${component.path}.${prefix}`, properties }
}

/** A batch that no transaction can hold would fail for ever. */
function checkBatchSize(
  component: ComponentConfiguration,
  key: string,
  batchSize: number,
  channels: readonly Channel[],
): void {
  for (const { name, transactionCapacity } of channels) {
    if (batchSize <= transactionCapacity) continue
    throw optionError(
      component,
      key,
      `a batch of ${batchSize} is larger than the transactionCapacity (${transactionCapacity}) of channel ${name}`,
    )
  }
}
