// The hooks with which tests of clients influence the broker (broker/testing). This is their only
// seam: a broker that is started without hooks never runs code of theirs.

import type { Api } from '../../../protocol/kafka/schema.ts'
import type { LogManager } from '../../log/logManager.ts'
import type { BrokerParts, RequestContext } from './requestContext.ts'

export interface TestHooks {
  /** Called once, before the first request is served. */
  opened(parts: BrokerParts, logs: LogManager): void
  /**
   * Called with each decoded request instead of its handler, which is `handle`: the request that it
   * is called with is handled. The result is the response, a promise of it, or the handler's
   * `noResponse`.
   */
  handle(
    api: Api,
    request: unknown,
    context: RequestContext,
    handle: (request: unknown) => unknown,
  ): unknown
}
