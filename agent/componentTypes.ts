// Which component a `type` means: one of Flume's aliases, or the name of Flume's class; both in any
// case, as in Flume.

import type { ComponentConfiguration } from './configuration/flumeConfiguration.ts'
import { nearestName } from './configuration/nearestName.ts'
import { optionError, quoted } from './configuration/options.ts'

const aliases = {
  sources: {
    exec: ['org.apache.flume.source.ExecSource'],
    taildir: ['org.apache.flume.source.taildir.TaildirSource'],
  },
  channels: {
    memory: ['org.apache.flume.channel.MemoryChannel'],
    file: ['org.apache.flume.channel.file.FileChannel'],
  },
  sinks: {
    null: ['org.apache.flume.sink.NullSink'],
    logger: ['org.apache.flume.sink.LoggerSink'],
    // Flume has no alias for it; ours is its short name.
    kafka: ['org.apache.flume.sink.kafka.KafkaSink'],
  },
  interceptors: {
    timestamp: ['org.apache.flume.interceptor.TimestampInterceptor$Builder'],
    host: ['org.apache.flume.interceptor.HostInterceptor$Builder'],
  },
  selectors: {
    replicating: ['org.apache.flume.channel.ReplicatingChannelSelector'],
  },
} as const

export type TypeKind = keyof typeof aliases
export type ComponentType<K extends TypeKind> = keyof (typeof aliases)[K] & string

/** The type that a component's `key` names; an OptionError when there is none, or an unknown one. */
export function componentType<K extends TypeKind>(
  kind: K,
  component: ComponentConfiguration,
  key = 'type',
  fallback?: ComponentType<K>,
): ComponentType<K> {
  const known = aliases[kind] as Record<string, readonly string[]>
  const names = Object.keys(known)
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    if (fallback !== undefined) return fallback
    throw optionError(component, key, `missing, but required: one of ${names.join(', ')}`)
  }
  const wanted = text.toLowerCase()
  const found = names.find((name) => {
    return name === wanted || known[name]!.some((className) => className.toLowerCase() === wanted)
  })
  if (found !== undefined) return found as ComponentType<K>
  const nearest = nearestName(text, [...names, ...Object.values(known).flat()])
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`
  throw optionError(
    component,
    key,
    `${quoted(text)} is not supported: one of ${names.join(', ')}${meant}`,
  )
}
