// Access control: Kafka's operations, the types of resources, and the interface of an Authorizer.
// `allowAll` is used without access control. An authorizer decides from memory and at once: it is
// asked before every request, so it must never wait and never throw. Operations that imply others
// (read implies describe; write on any topic implies idempotentWrite on the cluster, KIP-679) are
// the authorizer's concern: callers ask for the operation that Kafka documents.

/** Kafka's AclOperation, with its codes. */
export const aclOperations = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const
export type AclOperation = keyof typeof aclOperations

/** Kafka's ResourceType (of ACLs), as far as served APIs need it. */
export type AclResourceType = 'cluster' | 'topic' | 'group' | 'transactionalId'

/** The only resource of type `cluster`. */
export const clusterResource = 'kafka-cluster'

/** Kafka's KafkaPrincipal. */
export interface Principal {
  readonly type: 'User'
  readonly name: string
}

/** The principal of a connection that has not authenticated. */
export const anonymous: Principal = { type: 'User', name: 'ANONYMOUS' }

/** The client on whose behalf a request is handled. */
export interface Requester {
  readonly principal: Principal
  /** The client's address as Kafka shows it: `/host`. */
  readonly clientHost: string
}

export interface Authorizer {
  /** Whether `authorize` always returns true, so that no resource names need to be collected. */
  readonly allowsAll: boolean
  authorize(
    requester: Requester,
    operation: AclOperation,
    resourceType: AclResourceType,
    resourceName: string,
  ): boolean
}

export const allowAll: Authorizer = { allowsAll: true, authorize: () => true }
