// The listener of the console. Health and metrics are answered from the start; other requests are
// handed to the console once it is loaded. Invariant: listens on loopback only, since there is no
// authentication yet.

import type { LateRoutes } from '../../protocol/operations/lateServer.ts'
import type { OperationsOptions } from '../../protocol/operations/operationsOptions.ts'
import {
  type OperationsServer,
  startOperationsServer,
} from '../../protocol/operations/operationsServer.ts'
import { isLoopback } from '../../protocol/runtime/network/loopback.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import { ConsoleError } from './errors.ts'
import { countRequests } from './requestMetrics.ts'
import { refuseMalformed } from './rest/malformedRequests.ts'

export interface ConsolePlace {
  /** Loopback only; port 0 takes a free one. */
  readonly address: Address
  /** Name of the command-line option for the port, for messages. Default: `--console-port`. */
  readonly portOption?: string
}

export interface ConsoleFrontOptions extends ConsolePlace {
  readonly logger: Logger
  readonly operations: OperationsOptions
  readonly metrics?: Metrics | undefined
}

/** Starts listening. Fails with ConsoleError NOT_LOOPBACK or with a ListenError. */
export async function listenForConsole(
  { address, portOption = '--console-port', logger, operations, metrics }: ConsoleFrontOptions,
  others: LateRoutes,
): Promise<OperationsServer> {
  if (!isLoopback(address.host)) throw notLoopback(address.host)
  return await startOperationsServer({
    ...{ logger, operations, others },
    listen: address,
    option: portOption,
    onMalformed: refuseMalformed,
    prepare: (server) => {
      if (metrics) countRequests(server, metrics)
    },
  })
}

function notLoopback(host: string): ConsoleError {
  return new ConsoleError(
    'NOT_LOOPBACK',
    `the console has no authentication yet and must listen on loopback: use 127.0.0.1 instead of ${host}`,
  )
}
