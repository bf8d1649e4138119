// The types of channels.

import type { ComponentType } from '../componentTypes.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import type { Channel } from './channel.ts'
import { type FileChannelDependencies, fileChannel, fileChannelOptions } from './fileChannel.ts'
import { memoryChannel, memoryChannelOptions } from './memoryChannel.ts'

export interface ChannelType extends ComponentType {
  /**
   * Whether a changed configuration may hand the channel on to the next agent: its events are nowhere
   * else.
   */
  readonly isRecyclable: boolean
  /** Throws an OptionError when the channel cannot be built from the options. */
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
