// What a client may do, as the bit sets in which Kafka tells it: bit n is the operation number n.
// Without access control everybody may do everything.

const Operation = {
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

type OperationName = keyof typeof Operation

/** The client did not ask. */
export const noOperations = -(2 ** 31)

export const allOperations = {
  cluster: bits(
    'create',
    'alter',
    'describe',
    'clusterAction',
    'describeConfigs',
    'alterConfigs',
    'idempotentWrite',
  ),
  topic: bits(
    'read',
    'write',
    'create',
    'delete',
    'alter',
    'describe',
    'describeConfigs',
    'alterConfigs',
  ),
  group: bits('read', 'delete', 'describe', 'describeConfigs', 'alterConfigs'),
} as const

function bits(...names: OperationName[]): number {
  return names.reduce((set, name) => set | (1 << Operation[name]), 0)
}
