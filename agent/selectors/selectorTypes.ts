// The types of channel selectors, whose options are among those of their source.

import type { ComponentType } from '../componentTypes.ts'
import { replicatingSelector, replicatingSelectorOptions } from './replicatingSelector.ts'

export interface SelectorType extends ComponentType {
  readonly make: typeof replicatingSelector
}

/** The selector of a source that names none. */
export const defaultSelectorType: SelectorType = {
  alias: 'replicating',
  className: 'org.apache.flume.channel.ReplicatingChannelSelector',
  options: replicatingSelectorOptions,
  make: replicatingSelector,
}

export const selectorTypes: readonly SelectorType[] = [defaultSelectorType]
