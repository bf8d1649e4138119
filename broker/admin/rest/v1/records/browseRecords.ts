// `GET /api/v1/topics/{topic}/records`: browses the records of a topic, newest first or from an
// offset or a time, within bounds that the response reports.

import { Type } from 'typebox'
import type { AdminContext } from '../../adminContext.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { listMetadata, pageMetadata } from '../../paging.ts'
import { RestError } from '../../restError.ts'
import { topicParams } from '../topics/topicParams.ts'
import { browseToken, longestBrowseToken, rangesOfToken } from './browseToken.ts'
import { RecordBrowser } from './recordBrowser.ts'
import { filterQuery, recordFilter } from './recordFilter.ts'
import {
  isolationOf,
  isolationQuery,
  logRanges,
  type OffsetRange,
  partitionsOf,
  timeMsOf,
  timeText,
} from './recordRange.ts'
import { shownRecord } from './shownRecord.ts'

/** Newest first reads every partition, and the page token holds a position in each. */
const mostPartitions = 200
const answerBytes = 8 * 1024 * 1024

const query = Type.Object({
  partition: Type.Optional(
    Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), {
      maxItems: mostPartitions,
      description: 'Partitions to read. Default: all partitions of the topic.',
    }),
  ),
  order: Type.Optional(
    Type.Enum(['newest', 'oldest'], {
      description:
        'Order of the records. Default: `newest`, or `oldest` with `from_offset` or `from_time`. Records of several partitions are merged by timestamp.',
    }),
  ),
  from_offset: Type.Optional(Type.Integer({ minimum: 0, description: 'Lowest offset to read.' })),
  from_time: Type.Optional(timeText),
  ...filterQuery,
  isolation: isolationQuery,
  limit: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 1_000, default: 50 },
      description: 'Maximum number of records in a page.',
    }),
  ),
  scan_records: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 1_000_000, default: 20_000 },
      description:
        'Maximum number of records read for a page, including those that the filter rejects.',
    }),
  ),
  scan_bytes: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 256 * 1024 * 1024, default: 16 * 1024 * 1024 },
      description: 'Maximum number of bytes fetched from the brokers for a page.',
    }),
  ),
  timeout_ms: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 20_000, default: 5_000 },
      description: 'Maximum time spent on a page.',
    }),
  ),
  max_value_bytes: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 1024 * 1024, default: 16 * 1024 },
      description: 'Maximum number of bytes shown of a value; a longer value is truncated.',
    }),
  ),
  page_token: Type.Optional(Type.String({ minLength: 1, maxLength: longestBrowseToken })),
})

const coveredRange = Type.Object({
  partition: Type.Integer(),
  from_offset: Type.Integer(),
  to_offset: Type.Integer({ description: 'Exclusive end.' }),
})

const answer = Type.Object({
  kind: Type.Literal('RecordList'),
  metadata: listMetadata,
  scan: Type.Object(
    {
      offsets_scanned: Type.Integer({ description: 'Offsets covered by this page.' }),
      offsets_left: Type.Integer({ description: 'Offsets left for later pages.' }),
      records_read: Type.Integer({
        description:
          'Records read, whether or not the filter matches. Fewer than offsets where transaction markers, records of aborted transactions and compaction leave gaps.',
      }),
      bytes_fetched: Type.Integer(),
      stopped_by: Type.Enum(['end', 'limit', 'records', 'bytes', 'time'], {
        description:
          '`end`: everything was read. `limit`: the page is full. Otherwise the bound that was reached: request the next page to continue.',
      }),
      partitions: Type.Array(coveredRange),
    },
    { description: 'Progress: scanned N of M.' },
  ),
  data: Type.Array(shownRecord),
})

export const browseRecords: AdminRoute = (server, context) => {
  const browser = new RecordBrowser(context.cluster, context.clock)
  server.get(
    '/api/v1/topics/:topic/records',
    {
      config: { scan: true },
      schema: {
        operationId: 'browseRecords',
        tags: ['Records'],
        summary: 'Browse the records of a topic',
        description:
          'Newest first, or from an offset or a time. A page is bounded in records, bytes and time, and reports its progress.',
        params: topicParams,
        querystring: query,
        response: { 200: answer },
      },
    },
    async (request) => {
      const { topic } = request.params
      const { order: wantedOrder, from_offset, from_time, page_token, partition } = request.query
      const isFrom = from_offset !== undefined || from_time !== undefined
      const order = wantedOrder ?? (isFrom ? 'oldest' : 'newest')
      const isolation = isolationOf(request.query.isolation)
      const giveBack = context.scans.take()
      try {
        const ranges =
          page_token === undefined
            ? await rangesOf(context, topic, request.query)
            : rangesOfToken(page_token, topic, order)
        if (page_token !== undefined) refuseOtherPartitions(ranges, partition)
        const result = await browser.browse(
          {
            ...{ topic, ranges, order, isolation },
            filter: recordFilter(request.query),
            mostValueBytes: request.query.max_value_bytes ?? 16 * 1024,
            bounds: {
              limit: request.query.limit ?? 50,
              records: request.query.scan_records ?? 20_000,
              fetchedBytes: request.query.scan_bytes ?? 16 * 1024 * 1024,
              answerBytes,
              timeMs: request.query.timeout_ms ?? 5_000,
            },
          },
          request.signal,
        )
        const left = result.left.filter(({ low, high }) => low < high)
        const nextToken = left.length === 0 ? undefined : browseToken(topic, order, left)
        return {
          kind: 'RecordList' as const,
          metadata: pageMetadata(request, nextToken),
          scan: {
            offsets_scanned: offsetsIn(result.covered),
            offsets_left: offsetsIn(left),
            records_read: result.recordsRead,
            bytes_fetched: result.bytesFetched,
            stopped_by: result.stoppedBy,
            partitions: result.covered.map(({ partition, low, high }) => ({
              ...{ partition, from_offset: low, to_offset: high },
            })),
          },
          data: [...result.records],
        }
      } finally {
        giveBack()
      }
    },
  )
}

async function rangesOf(
  { admin }: AdminContext,
  topic: string,
  question: {
    readonly partition?: readonly number[]
    readonly from_offset?: number
    readonly from_time?: string
    readonly isolation?: 'read_committed' | 'read_uncommitted'
  },
): Promise<OffsetRange[]> {
  const { partition, from_offset: offset, from_time: time, isolation } = question
  if (offset !== undefined && time !== undefined) {
    throw new RestError(
      40002,
      'CONFLICTING_PARAMETERS',
      'from_offset and from_time exclude each other',
      'give one of them',
    )
  }
  const timeMs = time === undefined ? undefined : timeMsOf(time)
  const partitions = await partitionsOf(admin, topic, partition)
  if (partitions.length > mostPartitions) {
    throw new RestError(
      40002,
      'TOO_MANY_PARTITIONS',
      `topic ${topic} has ${partitions.length} partitions, too many to browse at once: the limit is ${mostPartitions}`,
      'select partitions with partition=0&partition=1',
    )
  }
  const from = {
    ...(offset === undefined ? {} : { offset }),
    ...(timeMs === undefined ? {} : { timeMs }),
  }
  return await logRanges(admin, topic, partitions, from, isolationOf(isolation))
}

function refuseOtherPartitions(
  ranges: readonly OffsetRange[],
  wanted: readonly number[] | undefined,
): void {
  if (wanted === undefined || ranges.every(({ partition }) => wanted.includes(partition))) return
  throw new RestError(
    40002,
    'INVALID_PAGE_TOKEN',
    'page_token was issued for other partitions',
    'use the address in metadata.next unchanged',
  )
}

function offsetsIn(ranges: readonly OffsetRange[]): number {
  return ranges.reduce((sum, { low, high }) => sum + (high - low), 0)
}
