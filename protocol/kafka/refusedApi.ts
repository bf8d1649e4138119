// APIs that are known only as far as it takes to answer a request with an error in its own response: a
// client that does not look at ApiVersions first would take a closed connection for a lost one, and
// try again. A request is decoded where its answer has an error for each thing that it names; its
// other fields are left unread. Lists that stay empty in such an answer are declared without elements.

import { array, defaultsOf, type Fields, type OutputOf } from './fields.ts'
import { type Api, type ApiDeclaration, api } from './schema.ts'

export interface ErrorAnswer {
  readonly errorCode: number
  readonly errorMessage: string
}

export interface RefusedApi {
  readonly api: Api
  /** The response that says `error` of the request, or of everything that the request names. */
  readonly refuse: (request: unknown, error: ErrorAnswer) => unknown
}

/** A list of a response that is always empty. */
export const emptyList = array('0+', {})

/** An API whose response has an error for each thing that the request names. */
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

/** An API whose response has one error for the whole request: `errorCode`. */
export function refusedWhole(
  declaration: Omit<ApiDeclaration<Fields, Fields>, 'request'>,
): RefusedApi {
  return refusedApi({ ...declaration, request: {} }, (_, error) => error)
}
