// From an agent's configuration to its parts: channels, and what makes sources and sinks. A
// component that cannot be built is dropped with a problem, as in Flume; only an agent without a
// channel, or with neither source nor sink, is refused. Nothing is started here.

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
import {
  OptionError,
  type OptionTable,
  optionError,
  readOptions,
  unknownKeys,
} from './configuration/options.ts'
import { AgentError } from './errors.ts'
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
import type { Polled } from './polled.ts'
import { replicatingSelector } from './selectors/replicatingSelector.ts'
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
}

export interface PlannedSource {
  readonly name: string
  readonly type: string
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  readonly channels: readonly Channel[]
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
}

export function planAgent(
  configuration: AgentConfiguration,
  surroundings: PlanSurroundings,
): AgentPlan {
  const problems: ConfigurationProblem[] = []
  const { components } = configuration
  const build = <T>(
    list: readonly ComponentConfiguration[],
    one: (component: ComponentConfiguration) => T,
  ): T[] =>
    list.flatMap((component) => {
      try {
        return [one(component)]
      } catch (error) {
        if (!(error instanceof OptionError)) throw error
        problems.push({
          ...error.problem,
          message: `${error.problem.message}; ${component.path} is dropped`,
        })
        return []
      }
    })
  const planner = new Planner(surroundings, problems)
  const channels = build(components.channels, (component) => planner.channel(component))
  const byName = new Map(channels.map((channel) => [channel.name, channel]))
  const sources = build(components.sources, (component) => planner.source(component, byName))
  const sinks = build(components.sinks, (component) => planner.sink(component, byName))
  for (const { file, path } of [...components.sinkgroups, ...components.configfilters]) {
    problems.push({ file, line: 0, property: path, message: 'not supported yet: ignored' })
  }
  const used = new Set([
    ...sources.flatMap((source) => source.channels),
    ...sinks.map((sink) => sink.channel),
  ])
  for (const { name } of channels.filter((channel) => !used.has(channel))) {
    const { file, path } = components.channels.find((component) => component.name === name)!
    problems.push({
      file,
      line: 0,
      property: path,
      message: 'no source or sink uses this channel: dropped',
    })
  }
  checkAgent(configuration.name, channels, [...sources, ...sinks], problems)
  return { channels: [...used], sources, sinks, problems }
}

function checkAgent(
  name: string,
  channels: readonly unknown[],
  others: readonly unknown[],
  problems: readonly ConfigurationProblem[],
): void {
  if (channels.length > 0 && others.length > 0) return
  const lacks =
    channels.length === 0 ? 'no valid channel' : 'neither a valid source nor a valid sink'
  const [first] = problems
  const reason =
    first === undefined
      ? ''
      : `; first problem: ${first.file}${first.line ? `:${first.line}` : ''}: ${first.property}: ${first.message}`
  throw new AgentError('CONFIGURATION', `agent ${name} has ${lacks}${reason}`)
}

class Planner {
  readonly #surroundings: PlanSurroundings
  readonly #problems: ConfigurationProblem[]

  constructor(surroundings: PlanSurroundings, problems: ConfigurationProblem[]) {
    this.#surroundings = surroundings
    this.#problems = problems
  }

  channel(component: ComponentConfiguration): Channel {
    const { runtime, logger } = this.#surroundings
    const { clock, disk } = runtime
    if (componentType('channels', component) === 'memory') {
      this.#warnUnknown(memoryChannelOptions, component)
      return memoryChannel(component, clock, logger)
    }
    this.#warnUnknown(fileChannelOptions, component)
    return fileChannel(component, { clock, disk, logger, resolvePath: this.#resolvePath })
  }

  source(component: ComponentConfiguration, channels: ReadonlyMap<string, Channel>): PlannedSource {
    const type = componentType('sources', component)
    componentType('selectors', component, 'selector.type', 'replicating')
    const names = component.properties.get('channels')?.value.split(/\s+/) ?? []
    const mine = names.flatMap((name) => channels.get(name) ?? [])
    if (mine.length === 0) throw optionError(component, 'channels', 'names no valid channel')
    const counter = new SourceCounter()
    const progress: SourceProgress = { bytesRead: 0 }
    const { runtime, startProcess } = this.#surroundings
    const logger = this.#surroundings.logger.child({ source: component.name })
    const interceptors = this.#interceptors(component)
    const selected = replicatingSelector(component, mine)
    const processor = new ChannelProcessor(interceptors, selected, counter, logger)
    const { clock, disk } = runtime
    const common = { name: component.name, type, counter, progress, channels: mine }
    if (type === 'exec') {
      this.#warnUnknown(execOptions, component)
      const options = readOptions(execOptions, component)
      checkBatchSize(component, 'batchSize', options.batchSize, mine)
      const around = { clock, logger, counter, processor, progress, startProcess }
      return { ...common, make: () => new ExecSource(options, around) }
    }
    this.#warnUnknown(taildirOptions, component)
    const { options, groups } = readTaildirOptions(component, this.#resolvePath)
    checkBatchSize(component, 'batchSize', options.batchSize, mine)
    const around = { clock, disk, logger, counter, processor, progress }
    return { ...common, make: () => new TaildirSource(component.name, groups, options, around) }
  }

  sink(component: ComponentConfiguration, channels: ReadonlyMap<string, Channel>): PlannedSink {
    const type = componentType('sinks', component)
    const channel = channels.get(component.properties.get('channel')?.value ?? '')
    if (channel === undefined) throw optionError(component, 'channel', 'names no valid channel')
    const { runtime } = this.#surroundings
    const logger = this.#surroundings.logger.child({ sink: component.name })
    const { name } = component
    if (type === 'kafka') {
      this.#warnUnknown(kafkaSinkOptions, component)
      const settings = readKafkaSinkSettings(component)
      const key = component.properties.has('flumeBatchSize') ? 'flumeBatchSize' : 'batchSize'
      checkBatchSize(component, key, settings.batchSize, [channel])
      const counter = new KafkaSinkCounter()
      const around = { runtime, logger, counter }
      const { topic, bootstrap } = settings
      const make = () => new KafkaSink(name, channel, settings, around)
      return { name, type, counter, channel, kafka: { topic, bootstrap }, make }
    }
    const counter = new SinkCounter()
    const common = { name, type, counter, channel, kafka: undefined }
    if (type === 'logger') {
      this.#warnUnknown(loggerSinkOptions, component)
      const options = readOptions(loggerSinkOptions, component)
      return { ...common, make: () => new LoggerSink(channel, options, counter, logger) }
    }
    this.#warnUnknown(nullSinkOptions, component)
    const options = readOptions(nullSinkOptions, component)
    checkBatchSize(component, 'batchSize', options.batchSize, [channel])
    return { ...common, make: () => new NullSink(channel, options, counter, logger) }
  }

  #interceptors(source: ComponentConfiguration): Interceptor[] {
    const names = source.properties.get('interceptors')?.value.split(/\s+/) ?? []
    return names.map((name) => {
      const component = nested(source, `interceptors.${name}`)
      const { runtime, host } = this.#surroundings
      if (componentType('interceptors', component) === 'timestamp') {
        return timestampInterceptor(
          readOptions(timestampInterceptorOptions, component),
          runtime.clock,
        )
      }
      return hostInterceptor(readOptions(hostInterceptorOptions, component), host)
    })
  }

  #warnUnknown(table: OptionTable, component: ComponentConfiguration): void {
    this.#problems.push(...unknownKeys(table, component))
  }

  readonly #resolvePath = (path: string): string => {
    const { baseDirectory, homeDirectory } = this.#surroundings
    if (path === '~' || path.startsWith('~/')) return join(homeDirectory, path.slice(1))
    return path.startsWith('/') ? path : join(baseDirectory, path)
  }
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
