// Flume's replicating selector: puts every event into every channel of the source. A put that an
// optional channel refuses is dropped for that channel; one that a required channel refuses is
// retried.

import type { Channel } from '../channels/channel.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { type OptionTable, optionError, readOptions } from '../configuration/options.ts'
import type { ChannelSelector } from './channelSelector.ts'

export const replicatingSelectorOptions = {
  'selector.optional': {
    type: 'list',
    default: [],
    doc: 'Names of channels that may lose events: a put that such a channel refuses is logged and dropped.',
  },
} as const satisfies OptionTable

export function replicatingSelector(
  source: ComponentConfiguration,
  channels: readonly Channel[],
): ChannelSelector {
  const names = readOptions(replicatingSelectorOptions, source)['selector.optional']
  for (const name of names) {
    if (channels.some((channel) => channel.name === name)) continue
    throw optionError(source, 'selector.optional', `${name} is not a channel of this source`)
  }
  return {
    required: channels.filter((channel) => !names.includes(channel.name)),
    optional: channels.filter((channel) => names.includes(channel.name)),
    select: (batch) => batch,
  }
}
