// The types of sources.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Disk } from '../../protocol/runtime/disk.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { ChannelProcessor } from '../channelProcessor.ts'
import type { BatchSize, ComponentType } from '../componentTypes.ts'
import type {
  ComponentConfiguration,
  ConfigurationProblem,
} from '../configuration/flumeConfiguration.ts'
import { readOptions } from '../configuration/options.ts'
import type { SourceCounter, SourceProgress } from '../monitoring/counters.ts'
import type { Polled } from '../polled.ts'
import type { StartProcess } from './execProcess.ts'
import { ExecSource, execOptions } from './execSource.ts'
import { reportEmptyGroups } from './taildir/emptyGroups.ts'
import { fileGroupProblems } from './taildir/fileGroup.ts'
import { readTaildirOptions, taildirOptions } from './taildir/taildirOptions.ts'
import { TaildirSource } from './taildir/taildirSource.ts'

interface SourceDependencies {
  readonly clock: Clock
  readonly disk: Disk
  readonly logger: Logger
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  readonly processor: ChannelProcessor
  readonly startProcess: StartProcess
  /** Makes a path of the configuration absolute. */
  readonly resolvePath: (path: string) => string
}

export interface SourceType extends ComponentType {
  /** Keys below these are checked by `check` and not by the table of options. */
  readonly nested?: readonly string[]
  /** Problems beside those of single options. */
  check?(component: ComponentConfiguration): ConfigurationProblem[]
  /** Throws an OptionError when the source cannot be built from the options. */
  plan(
    component: ComponentConfiguration,
    dependencies: SourceDependencies,
  ): { readonly batchSize: BatchSize; readonly make: () => Polled }
}

const taildir: SourceType = {
  alias: 'taildir',
  className: 'org.apache.flume.source.taildir.TaildirSource',
  options: taildirOptions,
  nested: ['filegroups'],
  check: fileGroupProblems,
  plan(component, dependencies) {
    const { options, groups } = readTaildirOptions(component, dependencies.resolvePath)
    let isReported = false
    return {
      batchSize: { key: 'batchSize', events: options.batchSize },
      make() {
        // Once, not for each instance after a failure.
        if (!isReported) void reportEmptyGroups(groups, dependencies)
        isReported = true
        return new TaildirSource(component.name, groups, options, dependencies)
      },
    }
  },
}

const exec: SourceType = {
  alias: 'exec',
  className: 'org.apache.flume.source.ExecSource',
  options: execOptions,
  plan(component, dependencies) {
    const options = readOptions(execOptions, component)
    return {
      batchSize: { key: 'batchSize', events: options.batchSize },
      make: () => new ExecSource(options, dependencies),
    }
  },
}

export const sourceTypes: readonly SourceType[] = [taildir, exec]
