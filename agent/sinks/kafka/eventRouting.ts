// Which topic and partition each event of a take goes to. As a rule that is one partition for all
// of them, a different one each time; events with a key, a topic or a partition of their own go
// where that says. Decides only; partition counts are handed in.

import { partitionForKey } from '../../../protocol/client/partitioner.ts'
import { expandEscapes } from '../../escapes.ts'
import type { EventBatch, Headers } from '../../event.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'

export const keyHeader = 'key'

export interface Route {
  readonly topic: string
  readonly partition: number
  /** Undefined: all events. */
  readonly events: number[] | undefined
}

/** Whether all events go to the same place. `nowMs` is the time of events that have none. */
function isUniform(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  nowMs: number,
): boolean {
  const [first] = batches
  return batches.every(
    ({ headers, eventHeaders }) =>
      eventHeaders === undefined &&
      !(keyHeader in headers) &&
      topicOf(settings, headers, nowMs) === topicOf(settings, first!.headers, nowMs) &&
      partitionText(settings, headers) === partitionText(settings, first!.headers),
  )
}

/** The topics of a take's events, to ask for their partitions. */
export function topicsOf(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  nowMs: number,
): Set<string> {
  const topics = new Set<string>()
  for (const batch of batches) {
    if (batch.eventHeaders === undefined) topics.add(topicOf(settings, batch.headers, nowMs))
    else {
      for (let index = 0; index < batch.count; index++) {
        topics.add(topicOf(settings, batch.headersOf(index), nowMs))
      }
    }
  }
  return topics
}

/** `turn` chooses the partition of events without key or partition. */
export function route(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  partitionCounts: ReadonlyMap<string, number>,
  turn: number,
  nowMs: number,
): Route[] {
  if (isUniform(settings, batches, nowMs)) {
    const { headers } = batches[0]!
    const topic = topicOf(settings, headers, nowMs)
    const partition = partitionFor(settings, headers, partitionCounts.get(topic)!, turn)
    return [{ topic, partition, events: undefined }]
  }
  const routes = new Map<string, Route & { events: number[] }>()
  let event = 0
  for (const batch of batches) {
    for (let index = 0; index < batch.count; index++, event++) {
      const headers = batch.headersOf(index)
      const topic = topicOf(settings, headers, nowMs)
      const partition = partitionFor(settings, headers, partitionCounts.get(topic)!, turn)
      const key = `${topic}/${partition}`
      const known = routes.get(key)
      if (known === undefined) routes.set(key, { topic, partition, events: [event] })
      else known.events.push(event)
    }
  }
  return [...routes.values()]
}

function topicOf(settings: KafkaSinkSettings, headers: Headers, nowMs: number): string {
  const { topic, topicHasEscapes, topicHeader, host } = settings
  const own = topicHeader === undefined ? undefined : headers[topicHeader]
  if (own !== undefined && own !== '') return own
  return topicHasEscapes ? expandEscapes(topic, headers, { host, nowMs }) : topic
}

function partitionText(settings: KafkaSinkSettings, headers: Headers): string | undefined {
  return settings.partitionHeader === undefined ? undefined : headers[settings.partitionHeader]
}

/** A header or default that is not a partition of the topic is ignored. */
function partitionFor(
  settings: KafkaSinkSettings,
  headers: Headers,
  partitionCount: number,
  turn: number,
): number {
  const text = partitionText(settings, headers)
  const wanted = text === undefined ? settings.defaultPartition : Number(text)
  if (wanted !== undefined && Number.isInteger(wanted) && wanted >= 0 && wanted < partitionCount) {
    return wanted
  }
  const key = headers[keyHeader]
  if (key !== undefined) return partitionForKey(Buffer.from(key), partitionCount)
  return turn % partitionCount
}
