// The access of one connection's client. Handlers ask it about resources that are in the broker's
// state and not in the request (a list of all groups), and for the bit sets of authorized
// operations that clients can request. Resources that a request names were checked by RequestGate
// before.

import {
  type AclOperation,
  type AclResourceType,
  type Authorizer,
  aclOperations,
  anonymous,
  clusterResource,
  type Principal,
  type Requester,
} from './authorizer.ts'

/** Value of a field of authorized operations that the client did not request. */
export const operationsNotRequested = -(2 ** 31)

/** The operations that Kafka's AclEntry supports, by type of resource. */
const supportedOperations: Readonly<Record<AclResourceType, readonly AclOperation[]>> = {
  cluster: [
    'create',
    'alter',
    'describe',
    'clusterAction',
    'describeConfigs',
    'alterConfigs',
    'idempotentWrite',
  ],
  topic: [
    'read',
    'write',
    'create',
    'delete',
    'alter',
    'describe',
    'describeConfigs',
    'alterConfigs',
  ],
  group: ['read', 'delete', 'describe', 'describeConfigs', 'alterConfigs'],
  transactionalId: ['write', 'describe'],
}

const allOperations: Readonly<Record<AclResourceType, number>> = {
  cluster: bitsOf(supportedOperations.cluster),
  topic: bitsOf(supportedOperations.topic),
  group: bitsOf(supportedOperations.group),
  transactionalId: bitsOf(supportedOperations.transactionalId),
}

export class ConnectionAccess implements Requester {
  readonly clientHost: string
  readonly #authorizer: Authorizer

  constructor(authorizer: Authorizer, clientHost: string) {
    this.#authorizer = authorizer
    this.clientHost = clientHost
  }

  get principal(): Principal {
    return anonymous
  }

  allows(operation: AclOperation, resourceType: AclResourceType, resourceName: string): boolean {
    return this.#authorizer.authorize(this, operation, resourceType, resourceName)
  }

  /**
   * Returns the authorized operations as Kafka's bit set: bit n stands for the operation with code
   * n.
   */
  authorizedOperations(resourceType: Exclude<AclResourceType, 'cluster'>, name: string): number {
    return this.#operations(resourceType, name)
  }

  get clusterOperations(): number {
    return this.#operations('cluster', clusterResource)
  }

  #operations(resourceType: AclResourceType, name: string): number {
    if (this.#authorizer.allowsAll) return allOperations[resourceType]
    const allowed = (operation: AclOperation) => this.allows(operation, resourceType, name)
    return bitsOf(supportedOperations[resourceType].filter(allowed))
  }
}

function bitsOf(operations: readonly AclOperation[]): number {
  return operations.reduce((bits, operation) => bits | (1 << aclOperations[operation]), 0)
}
