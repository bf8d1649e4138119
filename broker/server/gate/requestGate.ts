// The gate that every request passes before its handler runs, and every response before it is
// encoded. In this order: authorize what the request names, and later write the throttle time into
// the response. Invariants: no handler runs for a request that the authorizer denies, and no
// handler writes `throttleTimeMs`. With an authorizer that allows all and no throttle the gate
// allocates nothing.
//
// A denied request closes its connection. An error for each denied resource, as Kafka has it, needs
// to know only what is here: the requirements of the API and the request.

import type { Api } from '../../../protocol/kafka/schema.ts'
import type { ApiAccess, Requirement, TopicCatalog } from './apiAccess.ts'
import { type Authorizer, clusterResource } from './authorizer.ts'
import type { ConnectionAccess } from './connectionAccess.ts'
import type { Throttle } from './throttle.ts'

/** A request for something that its principal may not do. */
export class AccessDeniedError extends Error {
  readonly code = 'ACCESS_DENIED'
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

  /** Throws an AccessDeniedError when anything that the request names is denied. */
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

  /** The response to encode: the handler's own, or a copy with the time for which to pause. */
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
