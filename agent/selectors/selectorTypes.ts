// The table of channel selector types. Their options are among the options of the source.

import type { ComponentType } from '../componentTypes.ts'
import { replicatingSelector, replicatingSelectorOptions } from './replicatingSelector.ts'

export interface SelectorType extends ComponentType {
  readonly make: typeof replicatingSelector
}

/** The selector of a source without selector.type. */
export const defaultSelectorType: SelectorType = {
  alias: 'replicating',
  className: 'org.apache.flume.channel.ReplicatingChannelSelector',
  options: replicatingSelectorOptions,
  make: replicatingSelector,
}

export const selectorTypes: readonly SelectorType[] = [defaultSelectorType]
