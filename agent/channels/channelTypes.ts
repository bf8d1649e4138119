// The table of channel types. A new type is added here and nowhere else.

import type { ComponentType } from '../componentTypes.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import type { Channel } from './channel.ts'
import { type FileChannelDependencies, fileChannel, fileChannelOptions } from './fileChannel.ts'
import { memoryChannel, memoryChannelOptions } from './memoryChannel.ts'

export interface ChannelType extends ComponentType {
  /**
   * Whether the next agent of this process takes over the channel after a change of the
   * configuration, because its events exist only in memory.
   */
  readonly isRecyclable: boolean
  /** Builds the channel; throws an OptionError for invalid options. */
  make(component: ComponentConfiguration, dependencies: FileChannelDependencies): Channel
}

const file: ChannelType = {
  alias: 'file',
  className: 'org.apache.flume.channel.file.FileChannel',
  options: fileChannelOptions,
  isRecyclable: false,
  make: fileChannel,
}

const memory: ChannelType = {
  alias: 'memory',
  className: 'org.apache.flume.channel.MemoryChannel',
  options: memoryChannelOptions,
  isRecyclable: true,
  make: (component, { clock, logger }) => memoryChannel(component, clock, logger),
}

export const channelTypes: readonly ChannelType[] = [file, memory]
