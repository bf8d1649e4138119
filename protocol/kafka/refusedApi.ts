// APIs that are declared only far enough to answer with an error in their own response: a client
// that does not check ApiVersions would take a closed connection for a network failure and retry. A
// request is decoded if its response has one error per named item; its other fields are skipped.
// Lists that stay empty in such a response have no element type.

import { array, defaultsOf, type Fields, type OutputOf } from './schema/fields.ts'
import { type Api, type ApiDeclaration, api } from './schema/schema.ts'

export interface ErrorAnswer {
  readonly errorCode: number
  readonly errorMessage: string
}

export interface RefusedApi {
  readonly api: Api
  /** Returns the response with `error` for the request, or for every item that it names. */
  readonly refuse: (request: unknown, error: ErrorAnswer) => unknown
}

/** A list in a response that is always empty. */
export const emptyList = array('0+', {})

/** Declares an API whose response has one error per item of the request. */
export function refusedApi<const Request extends Fields, const Response extends Fields>(
  declaration: ApiDeclaration<Request, Response>,
  refuse: (request: OutputOf<Request>, error: ErrorAnswer) => object,
): RefusedApi {
  return {
    api: api(declaration) as Api,
    refuse: (request, error) => ({
      ...defaultsOf(declaration.response),
      ...refuse(request as OutputOf<Request>, error),
    }),
  }
}

/** Declares an API whose response has one error for the whole request: `errorCode`. */
export function refusedWhole(
  declaration: Omit<ApiDeclaration<Fields, Fields>, 'request'>,
): RefusedApi {
  return refusedApi({ ...declaration, request: {} }, (_, error) => error)
}
