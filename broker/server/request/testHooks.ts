// The hooks with which tests of clients influence the broker (broker/testing). The only seam for
// them: a broker that is started without hooks runs no code of theirs.

import type { Api } from '../../../protocol/kafka/schema.ts'
import type { LogManager } from '../../log/logManager.ts'
import type { BrokerParts, RequestContext } from './requestContext.ts'

export interface TestHooks {
  /** Called once, before the first request is served. */
  opened(parts: BrokerParts, logs: LogManager): void
  /**
   * Called with each decoded request in the place of its handler. `handle` is the handler: what it
   * is called with is handled, and what this returns is answered; a promise, or what the handler
   * returns (`noResponse` included).
   */
  handle(
    api: Api,
    request: unknown,
    context: RequestContext,
    handle: (request: unknown) => unknown,
  ): unknown
}
