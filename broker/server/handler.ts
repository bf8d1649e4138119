// One handler serves one API. It gets a decoded request, and gives what is to be encoded: at once,
// or later. The table of all handlers is in dispatch.ts.

import type { Api, RequestOf, ResponseInput } from '../../protocol/kafka/schema.ts'
import type { RequestContext } from './requestContext.ts'

/** For requests that get no answer at all (Produce with acks=0). */
export const noResponse = Symbol('noResponse')

type Outcome<Response> = Response | typeof noResponse

/** A handler with its types forgotten, for the table. */
export interface Handler {
  readonly api: Api
  readonly handle: (request: unknown, context: RequestContext) => unknown
}

/** Binds a function to its API; the compiler holds both to the API's messages. */
export function handler<A extends Api>(
  api: A,
  handle: (
    request: RequestOf<A>,
    context: RequestContext,
  ) => Outcome<ResponseInput<A>> | Promise<Outcome<ResponseInput<A>>>,
): Handler {
  return { api, handle: handle as Handler['handle'] }
}
