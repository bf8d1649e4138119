// The table of sink types. A new type is added here and nowhere else.

import type { Address } from '../../protocol/runtime/network/network.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { Channel } from '../channels/channel.ts'
import type { BatchSize, ComponentType } from '../componentTypes.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { readOptions } from '../configuration/options.ts'
import type { HostIdentity } from '../hostIdentity.ts'
import {
  KafkaSinkCounter,
  newSinkProgress,
  SinkCounter,
  type SinkProgress,
} from '../monitoring/counters.ts'
import type { Polled } from '../polled.ts'
import { KafkaSink } from './kafka/kafkaSink.ts'
import { kafkaSinkOptions, readKafkaSinkSettings } from './kafka/kafkaSinkOptions.ts'
import { LoggerSink, loggerSinkOptions } from './loggerSink.ts'
import { NullSink, nullSinkOptions } from './nullSink.ts'

interface SinkDependencies {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly host: HostIdentity
  readonly channel: Channel
}

export interface SinkType extends ComponentType {
  /** Plans a sink; throws an OptionError for invalid options. */
  plan(
    component: ComponentConfiguration,
    dependencies: SinkDependencies,
  ): {
    readonly counter: SinkCounter
    readonly progress: SinkProgress
    /** Undefined for a sink without an option for it. */
    readonly batchSize?: BatchSize
    /** Topic and brokers of a Kafka sink. */
    readonly kafka?: { readonly topic: string; readonly bootstrap: readonly Address[] }
    readonly make: () => Polled
  }
}

const kafka: SinkType = {
  // Flume has no alias for it.
  alias: 'kafka',
  className: 'org.apache.flume.sink.kafka.KafkaSink',
  options: kafkaSinkOptions,
  plan(component, { runtime, logger, host, channel }) {
    const settings = readKafkaSinkSettings(component, host)
    const { topic, bootstrap, batchSizeKey, batchSize } = settings
    const counter = new KafkaSinkCounter()
    const progress = newSinkProgress()
    const around = { runtime, logger, counter, progress }
    return {
      ...{ counter, progress },
      batchSize: { key: batchSizeKey, events: batchSize },
      kafka: { topic, bootstrap },
      make: () => new KafkaSink(component.name, channel, settings, around),
    }
  },
}

const logger: SinkType = {
  alias: 'logger',
  className: 'org.apache.flume.sink.LoggerSink',
  options: loggerSinkOptions,
  plan(component, { logger, channel }) {
    const options = readOptions(loggerSinkOptions, component)
    const figures = { counter: new SinkCounter(), progress: newSinkProgress() }
    return { ...figures, make: () => new LoggerSink(channel, options, figures, logger) }
  },
}

const nothing: SinkType = {
  alias: 'null',
  className: 'org.apache.flume.sink.NullSink',
  options: nullSinkOptions,
  plan(component, { logger, channel }) {
    const options = readOptions(nullSinkOptions, component)
    const figures = { counter: new SinkCounter(), progress: newSinkProgress() }
    return {
      ...figures,
      batchSize: { key: 'batchSize', events: options.batchSize },
      make: () => new NullSink(channel, options, figures, logger),
    }
  },
}

export const sinkTypes: readonly SinkType[] = [kafka, logger, nothing]
