// The table of source types. A new type is added here and nowhere else.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
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
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  readonly processor: ChannelProcessor
  readonly startProcess: StartProcess
  /** Resolves a path of the configuration to an absolute path. */
  readonly resolvePath: (path: string) => string
}

export interface SourceType extends ComponentType {
  /** Prefixes of keys that `check` checks instead of the table of options. */
  readonly nested?: readonly string[]
  /** Returns problems that concern more than a single option. */
  check?(component: ComponentConfiguration): ConfigurationProblem[]
  /** Plans a source; throws an OptionError for invalid options. */
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
        // Reported for the first instance only, not after each restart.
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
