// Selects the topic and partition of each event of a take. Usually all events of a take go to one
// partition, and the next take to the next partition; a key, topic or partition in an event's
// headers takes precedence. Without I/O: the caller passes partition counts.

import { partitionForKey } from '../../../protocol/client/producer/partitioner.ts'
import { expandEscapes } from '../../escapes.ts'
import type { EventBatch, Headers } from '../../event.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'

export const keyHeader = 'key'

export interface Route {
  readonly topic: string
  readonly partition: number
  /** Indexes of the events in the take; undefined: all events. */
  readonly events: number[] | undefined
}

/** Whether all events have the same route. `nowMs` is the time of events that have none. */
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

/** Returns the topics of a take's events. */
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

/**
 * Returns the routes of a take; `turn` selects the partition of events without key and partition.
 */
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

/**
 * Returns the partition of one event; a header or default that the topic does not have is ignored.
 */
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
