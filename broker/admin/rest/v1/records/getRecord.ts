// `GET /api/v1/topics/{topic}/partitions/{partition}/records/{offset}`: the record at an offset, or
// an error that says why there is none.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { partitionParams } from '../topics/topicParams.ts'
import { RecordBrowser } from './recordBrowser.ts'
import { isolationOf, isolationQuery, logRanges, partitionsOf } from './recordRange.ts'
import { shownRecord } from './shownRecord.ts'

const params = Type.Object({
  ...partitionParams.properties,
  offset: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - 1 }),
})

const wholeValueBytes = 8 * 1024 * 1024

export const getRecord: AdminRoute = (server, context) => {
  const browser = new RecordBrowser(context.cluster, context.clock)
  server.get(
    '/api/v1/topics/:topic/partitions/:partition/records/:offset',
    {
      config: { scan: true },
      schema: {
        operationId: 'getRecord',
        tags: ['Records'],
        summary: 'Get one record',
        description: 'Returns the record at this offset; if there is none, the error says why.',
        params,
        querystring: Type.Object({
          isolation: isolationQuery,
          max_value_bytes: Type.Optional(
            Type.Integer({
              ...{ minimum: 1, maximum: wholeValueBytes, default: wholeValueBytes },
              description:
                'Maximum number of bytes shown of the value; a longer value is truncated.',
            }),
          ),
        }),
        response: { 200: shownRecord },
      },
    },
    async (request) => {
      const { topic, partition, offset } = request.params
      const isolation = isolationOf(request.query.isolation)
      const giveBack = context.scans.take()
      try {
        const partitions = await partitionsOf(context.admin, topic, [partition])
        const [log] = await logRanges(context.admin, topic, partitions, {}, isolation)
        const { logStartOffset, endOffset } = log!
        if (offset < logStartOffset) throw removed(topic, partition, offset, logStartOffset)
        if (offset >= endOffset) throw notWritten(topic, partition, offset, endOffset)
        const result = await browser.browse(
          {
            ...{ topic, isolation, order: 'oldest', filter: undefined },
            ranges: [{ partition, low: offset, high: offset + 1 }],
            mostValueBytes: request.query.max_value_bytes ?? wholeValueBytes,
            bounds: {
              ...{ limit: 1, records: 1, fetchedBytes: 1 },
              ...{ answerBytes: Number.MAX_SAFE_INTEGER, timeMs: 10_000 },
            },
          },
          request.signal,
        )
        const [record] = result.records
        if (record === undefined) throw noRecord(topic, partition, offset)
        return record
      } finally {
        giveBack()
      }
    },
  )
}

const browsing = 'GET /api/v1/topics/{topic}/records lists the existing records'

function removed(topic: string, partition: number, offset: number, start: number): RestError {
  const place = `${topic}-${partition}`
  const message = `the record at offset ${offset} of ${place} was deleted: the log starts at ${start}`
  return new RestError(40404, 'OFFSET_REMOVED', message, browsing)
}

function notWritten(topic: string, partition: number, offset: number, end: number): RestError {
  const place = `${topic}-${partition}`
  const message = `offset ${offset} of ${place} cannot be read yet: the log ends at ${end}`
  return new RestError(40404, 'OFFSET_NOT_WRITTEN', message, browsing)
}

function noRecord(topic: string, partition: number, offset: number): RestError {
  return new RestError(
    40404,
    'NO_RECORD_AT_OFFSET',
    `${topic}-${partition} has no record at offset ${offset}: it is a transaction marker, belongs to an aborted transaction, or was removed by compaction`,
    browsing,
  )
}
