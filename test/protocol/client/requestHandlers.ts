// The part of the fake cluster that its topics and groups use: they register handlers for their
// APIs.

import type { Api, RequestOf, ResponseInput } from '../../../protocol/kafka/schema/schema.ts'
import type { Address } from '../../../protocol/runtime/network/network.ts'

export interface RequestHandlers {
  /** Addresses of the brokers, by id. */
  readonly addresses: readonly Address[]
  /** Replaces the handler of an API; a handler that returns undefined drops the connection. */
  handle<A extends Api>(
    api: A,
    handler: (
      request: RequestOf<A>,
      context: { readonly version: number; readonly broker: number },
    ) => ResponseInput<A> | undefined | Promise<ResponseInput<A> | undefined>,
  ): void
}
