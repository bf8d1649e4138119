// The throttle: how long a client that exceeds its quota is asked to pause. Asked once for each
// response; the gate writes the time into `throttleTimeMs` if the API has that field. There are no
// quotas yet, so `noThrottle` is used.

import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import type { Requester } from './authorizer.ts'

export interface Throttle {
  /** Returns how long the client should pause, in ms; 0 for no pause. */
  throttleTimeMs(requester: Requester, clientId: string, api: Api): number
}

export const noThrottle: Throttle = { throttleTimeMs: () => 0 }
