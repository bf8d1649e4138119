// The shapes shared by all resources and lists of Confluent's API.

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
  related: Type.String({ description: 'Address of the related resource.' }),
})

const resourceMetadata = Type.Object({
  self: Type.String({ description: 'Address of this resource.' }),
  resource_name: Type.Union([Type.String(), Type.Null()], {
    description: "Name of this resource, independent of the server's address.",
  }),
})

export function nullable<Schema extends TSchema>(schema: Schema, options = {}) {
  return Type.Union([schema, Type.Null()], options)
}

/** Returns the schema of a resource with `fields` in addition to the common ones. */
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

/**
 * Confluent's lists have no pages: a client that does not know them gets all entries, up to a
 * bound.
 */
export const listQuery = Type.Object({
  ...pageQuery,
  page_size: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: largestPageSize,
      default: largestPageSize,
      description: 'Maximum number of entries in a page.',
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

/** The response to `request`: `data` holds the resources of the page. */
export function listAnswer<Kind extends string, Resource>(
  kind: Kind,
  request: PagedRequest,
  { nextToken }: Pick<Page<unknown>, 'nextToken'>,
  data: Resource[],
) {
  return { kind, metadata: pageMetadata(request, nextToken), data }
}

/** Sort key: by topic, then by partition. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}\u0000${String(partition).padStart(10, '0')}`
}

export const nothing = Type.Null({ description: 'Done; the response has no body.' })

export type ResourceOf<Schema extends TSchema> = Static<Schema>
