// The shapes that all resources and lists of Confluent's API share.

import { type Static, type TProperties, type TSchema, Type } from 'typebox'
import {
  largestPageSize,
  listMetadata,
  type Page,
  type PageQuery,
  pageMetadata,
  pageOf,
  pageQuery,
} from '../paging.ts'

type PagedRequest = Parameters<typeof pageMetadata>[0]

export const relationship = Type.Object({
  related: Type.String({ description: 'Address of what is related.' }),
})

const resourceMetadata = Type.Object({
  self: Type.String({ description: 'Address of this resource.' }),
  resource_name: Type.Union([Type.String(), Type.Null()], {
    description: 'Name of this resource, the same from wherever it is asked for.',
  }),
})

export function nullable<Schema extends TSchema>(schema: Schema, options = {}) {
  return Type.Union([schema, Type.Null()], options)
}

/** The schema of a resource with these fields beside those of every resource. */
export function resourceSchema<Kind extends string, Fields extends TProperties>(
  kind: Kind,
  fields: Fields,
) {
  return Type.Object({
    kind: Type.Literal(kind),
    metadata: resourceMetadata,
    cluster_id: Type.String(),
    ...fields,
  })
}

export function listSchema<Entry extends TSchema>(kind: string, entry: Entry) {
  return Type.Object({
    kind: Type.Literal(kind),
    metadata: listMetadata,
    data: Type.Array(entry),
  })
}

/** Lists of this API have no pages at Confluent's: a client that knows of none gets all, up to a bound. */
export const listQuery = Type.Object({
  ...pageQuery,
  page_size: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: largestPageSize,
      default: largestPageSize,
      description: 'Most entries of one page.',
    }),
  ),
})

export function listPage<Entry>(
  list: string,
  entries: Iterable<Entry>,
  keyOf: (entry: Entry) => string | number,
  query: PageQuery,
): Page<Entry> {
  return pageOf(list, entries, keyOf, { ...query, page_size: query.page_size ?? largestPageSize })
}

/** The answer to `request`: `data` is what the page has, as resources. */
export function listAnswer<Kind extends string, Resource>(
  kind: Kind,
  request: PagedRequest,
  { nextToken }: Pick<Page<unknown>, 'nextToken'>,
  data: Resource[],
) {
  return { kind, metadata: pageMetadata(request, nextToken), data }
}

/** Sorts by topic, then by partition. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}\u0000${String(partition).padStart(10, '0')}`
}

export const nothing = Type.Null({ description: 'Done; the answer has no body.' })

export type ResourceOf<Schema extends TSchema> = Static<Schema>
