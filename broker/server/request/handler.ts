// A handler serves one API: it takes a decoded request and returns the response to encode, or a
// promise of it. The resources that the request names were authorized before, and the throttle time
// is added afterwards (gate/). The table of handlers is in dispatch.ts.

import type { Api, RequestOf, ResponseInput } from '../../../protocol/kafka/schema/schema.ts'
import type { RequestContext } from './requestContext.ts'

/** The outcome of a request without a response (Produce with acks=0). */
export const noResponse = Symbol('noResponse')

type Outcome<Response> = Response | typeof noResponse

/** A handler without its types, for the table. */
export interface Handler {
  readonly api: Api
  readonly handle: (request: unknown, context: RequestContext) => unknown
}

/** Binds a function to an API. The compiler checks the function against the API's messages. */
export function handler<A extends Api>(
  api: A,
  handle: (
    request: RequestOf<A>,
    context: RequestContext,
  ) => Outcome<ResponseInput<A>> | Promise<Outcome<ResponseInput<A>>>,
): Handler {
  return { api, handle: handle as Handler['handle'] }
}
