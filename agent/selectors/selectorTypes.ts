// The types of channel selectors, whose options are among those of their source.

import type { Channel } from '../channels/channel.ts'
import type { ComponentType } from '../componentTypes.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import {
  replicatingSelector,
  replicatingSelectorOptions,
  type SelectedChannels,
} from './replicatingSelector.ts'

export interface SelectorType extends ComponentType {
  make(source: ComponentConfiguration, channels: readonly Channel[]): SelectedChannels
}

/** What a source has that names no selector. */
export const defaultSelectorType: SelectorType = {
  alias: 'replicating',
  className: 'org.apache.flume.channel.ReplicatingChannelSelector',
  options: replicatingSelectorOptions,
  make: replicatingSelector,
}

export const selectorTypes: readonly SelectorType[] = [defaultSelectorType]
