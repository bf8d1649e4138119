// How long a client is asked to pause because it is over its quota. Asked once for each response;
// the gate puts the time into `throttleTimeMs` where the API has that field. There are no quotas
// yet, so that `noThrottle` is in force.

import type { Api } from '../../../protocol/kafka/schema.ts'
import type { Requester } from './authorizer.ts'

export interface Throttle {
  /** Milliseconds for which the client should send nothing; 0 without a pause. */
  throttleTimeMs(requester: Requester, clientId: string, api: Api): number
}

export const noThrottle: Throttle = { throttleTimeMs: () => 0 }
