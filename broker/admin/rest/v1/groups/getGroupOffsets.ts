// `GET /api/v1/groups/{group}/offsets`: the committed offsets of a group, and its lag.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { listMetadata, pageMetadata, pageOf, pageQuery } from '../../paging.ts'
import { firstTimestamps, type LogEnds, logEnds, mostTimedPartitions } from './committedLag.ts'
import {
  describedGroup,
  groupParams,
  groupState,
  maybeCount,
  unknownGroup,
} from './groupSchemas.ts'

const answer = Type.Object({
  kind: Type.Literal('GroupOffsetList'),
  metadata: listMetadata,
  group: Type.String(),
  state: groupState,
  total_lag: Type.Integer({
    description: 'Sum of the lag in records, over the partitions of this page.',
  }),
  max_lag_seconds: Type.Union([Type.Number(), Type.Null()], {
    description: 'Largest lag in seconds of the partitions of this page; null if none is known.',
  }),
  data: Type.Array(
    Type.Object({
      topic: Type.String(),
      partition: Type.Integer(),
      committed_offset: Type.Integer({
        description: 'Offset of the next record that the group reads.',
      }),
      metadata: Type.String(),
      log_start_offset: maybeCount('Null if the partition does not exist or has no leader.'),
      end_offset: maybeCount('Offset of the next record to be written.'),
      lag: maybeCount('Records between the committed offset and the end.'),
      lag_seconds: Type.Union([Type.Number(), Type.Null()], {
        description: `Age of the first uncommitted record; 0 without a lag. Null if unknown: the record has no timestamp, or the partition is beyond the first ${mostTimedPartitions} partitions with lag.`,
      }),
    }),
  ),
})

export const getGroupOffsets: AdminRoute = (server, { admin, cluster, clock }) => {
  server.get(
    '/api/v1/groups/:group/offsets',
    {
      schema: {
        operationId: 'getGroupOffsets',
        tags: ['Groups'],
        summary: 'Get the offsets of a group, and its lag in records and seconds',
        params: groupParams,
        querystring: Type.Object({
          ...pageQuery,
          topic: Type.Optional(Type.String({ description: 'Only offsets of this topic.' })),
        }),
        response: { 200: answer },
      },
    },
    async (request) => {
      const { group } = request.params
      const [described, committed] = await Promise.all([
        describedGroup(admin, group),
        admin.groupOffsets(group),
      ])
      if (described.state === 'Dead' && committed.length === 0) throw unknownGroup(group)
      const { topic } = request.query
      const wanted = committed.filter((place) => topic === undefined || place.topic === topic)
      const page = pageOf(`offsets of ${group}`, wanted, placeKey, request.query)
      const ends = await logEnds(admin, page.entries)
      const rows = page.entries.map((place, index) => ({ place, ...lagOf(place, ends[index]!) }))
      const behind = rows.filter(({ lag }) => lag !== null && lag > 0)
      const timestamps = await firstTimestamps(
        cluster,
        behind.map(({ place, start }) => ({
          ...{ topic: place.topic, partition: place.partition },
          offset: Math.max(place.offset, start ?? 0),
        })),
      )
      const nowMs = clock.nowMs()
      const seconds = new Map(
        behind.map(({ place }, index) => [place, secondsSince(timestamps[index] ?? null, nowMs)]),
      )
      const data = rows.map(({ place, start, end, lag }) => ({
        topic: place.topic,
        partition: place.partition,
        committed_offset: place.offset,
        metadata: place.metadata,
        ...{ log_start_offset: start, end_offset: end, lag },
        lag_seconds: lag === 0 ? 0 : (seconds.get(place) ?? null),
      }))
      const known = data.flatMap(({ lag_seconds }) => (lag_seconds === null ? [] : [lag_seconds]))
      return {
        kind: 'GroupOffsetList' as const,
        metadata: pageMetadata(request, page.nextToken),
        ...{ group, state: described.state },
        total_lag: data.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
        max_lag_seconds: known.length === 0 ? null : Math.max(...known),
        data,
      }
    },
  )
}

/** Sort key that orders partitions numerically. */
function placeKey({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic} ${String(partition).padStart(10, '0')}`
}

function lagOf({ offset }: { readonly offset: number }, { start, end }: LogEnds) {
  return { start, end, lag: end === null ? null : Math.max(0, end - offset) }
}

function secondsSince(timeMs: number | null, nowMs: number): number | null {
  return timeMs === null ? null : Math.max(0, nowMs - timeMs) / 1000
}
