// Every planted fault. The names are unique.

import { agentMutants } from './agent/agentMutants.ts'
import { clientMutants } from './broker/clientMutants.ts'
import { controllerMutants } from './broker/controllerMutants.ts'
import { groupMutants } from './broker/groupMutants.ts'
import { logMutants } from './broker/logMutants.ts'
import { transactionMutants } from './broker/transactionMutants.ts'
import { coordinationMutants } from './coordination/coordinationMutants.ts'
import { engineMutants } from './engine/engineMutants.ts'
import type { Mutant } from './mutant.ts'

export const mutants: readonly Mutant[] = [
  ...logMutants,
  ...transactionMutants,
  ...groupMutants,
  ...controllerMutants,
  ...clientMutants,
  ...coordinationMutants,
  ...agentMutants,
  ...engineMutants,
]
