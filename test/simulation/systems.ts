// Every system that can be simulated: `--system` names one, and all of them run otherwise.

import type { SimulatedSystem } from './system.ts'
import { agentSystem } from './systems/agent/agentSystem.ts'
import { brokerSystem } from './systems/broker/brokerSystem.ts'
import { coordinationSystem } from './systems/coordination/coordinationSystem.ts'
import { engineSystem } from './systems/engine/engineSystem.ts'

export const systems: readonly SimulatedSystem[] = [
  brokerSystem,
  coordinationSystem,
  agentSystem,
  engineSystem,
]
