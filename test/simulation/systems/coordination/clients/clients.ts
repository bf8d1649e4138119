// The clients of each process, as the parameters of a plan say.

import type { CoordinationParameters } from '../coordinationParameters.ts'
import type { NodeClient } from '../memberNode.ts'
import { participant } from './barrier.ts'
import { candidates } from './candidates.ts'
import type { ClientProgram } from './client.ts'
import { ephemerals } from './ephemerals.ts'
import { groupMember } from './group.ts'
import { lockers } from './lockers.ts'
import { queues } from './queues.ts'
import { registers } from './registers.ts'

export function clientsOf({ workload }: CoordinationParameters): NodeClient[] {
  return [
    ...several('registers', workload.registers, registers),
    ...several('queue', workload.queues, queues),
    ...several('ephemerals', workload.ephemerals, ephemerals),
    ...several('candidate', workload.candidates, candidates),
    ...several('locker', workload.lockers, lockers),
    ...several('group', workload.hasGroup ? 1 : 0, groupMember),
    ...several('barrier', workload.hasBarrier ? 1 : 0, participant),
  ]
}

function several(name: string, count: number, program: ClientProgram): NodeClient[] {
  return Array.from({ length: count }, (_, at) => ({ name: `${name}${at + 1}`, program }))
}
