// The gate that every request passes before its handler runs, and every response before it is
// encoded: it authorizes the resources that the request names, and writes the throttle time into
// the response. Invariants: no handler runs for a request that the authorizer denies, and no
// handler writes `throttleTimeMs`. With an authorizer that allows all and without a throttle, the
// gate allocates nothing.
//
// A denied request closes its connection. Errors for each denied resource, which Kafka returns,
// would need nothing but the requirements of the API and the request, which are available here.

import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import { CodedError } from '../../../protocol/runtime/codedError.ts'
import type { ApiAccess, Requirement, TopicCatalog } from './apiAccess.ts'
import { type Authorizer, clusterResource } from './authorizer.ts'
import type { ConnectionAccess } from './connectionAccess.ts'
import type { Throttle } from './throttle.ts'

/** A request for which its principal is not authorized. */
export class AccessDeniedError extends CodedError<'ACCESS_DENIED'> {
  constructor(message: string, cause?: unknown) {
    super('ACCESS_DENIED', message, cause)
  }
}

export interface RequestGateOptions {
  readonly authorizer: Authorizer
  readonly throttle: Throttle
  readonly topics: TopicCatalog
}

export class RequestGate {
  readonly authorizer: Authorizer
  readonly #throttle: Throttle
  readonly #topics: TopicCatalog

  constructor({ authorizer, throttle, topics }: RequestGateOptions) {
    this.authorizer = authorizer
    this.#throttle = throttle
    this.#topics = topics
  }

  /**
   * Admits a request. Throws an AccessDeniedError when access to any resource that it names is
   * denied.
   */
  admit({ api, requirements }: ApiAccess, request: unknown, access: ConnectionAccess): void {
    if (this.authorizer.allowsAll) return
    for (const requirement of requirements) {
      const denied = this.#firstDenied(requirement, request, access)
      if (denied === undefined) continue
      const { type, name } = access.principal
      const { operation, resourceType } = requirement
      throw new AccessDeniedError(
        `${api.name}: ${type}:${name} is not authorized for ${operation} on ${resourceType} ${denied}`,
      )
    }
  }

  /** Returns the response to encode: the handler's own, or a copy with the throttle time. */
  throttled(api: Api, response: unknown, access: ConnectionAccess, clientId: string): unknown {
    const throttleTimeMs = this.#throttle.throttleTimeMs(access, clientId, api)
    if (throttleTimeMs === 0 || !hasThrottleTime(api)) return response
    // A copy: handlers may answer with an object that they share.
    return { ...(response as object), throttleTimeMs }
  }

  #firstDenied(
    { operation, resourceType, names, orOnCluster }: Requirement,
    request: unknown,
    access: ConnectionAccess,
  ): string | undefined {
    if (names === undefined) return undefined
    for (const name of names(request, this.#topics)) {
      if (access.allows(operation, resourceType, name)) continue
      if (orOnCluster && access.allows(orOnCluster, 'cluster', clusterResource)) return undefined
      return name
    }
    return undefined
  }
}

function hasThrottleTime({ response }: Api): boolean {
  return 'fields' in response && 'throttleTimeMs' in (response.fields as object)
}
