// Coordination over NATS: one member of the log of a cluster. The code that speaks to NATS is
// loaded when it is needed (docs/decisions/0046-nats-servers.md).

import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/time/clock.ts'
import type { Logger } from '../telemetry/logging/logger.ts'
import type { Coordination } from './coordination.ts'
import { CoordinationError } from './coordinationError.ts'
import type { AcceptedLink } from './log/nats/acceptedLink.ts'
import { openMember } from './member/member.ts'
import type { CopyOptions } from './member/memberStart.ts'
import type { NatsPlan } from './natsOptions.ts'

export interface NatsCoordinationOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'scheduler'>
  readonly logger: Logger
  readonly plan: NatsPlan
  /** Who this is, for messages of other members: "broker 1 at host-a". */
  readonly name: string
  /** Where to keep a copy of the log, for a repair. */
  readonly copy?: CopyOptions | undefined
  /** Ends the wait for servers that cannot be reached. */
  readonly signal?: AbortSignal | undefined
}

/** Longer than an election of the stream's leader (4 to 9 s), shorter than clients wait. */
const requestTimeoutMs = 12_000
const minRetryMs = 500
const maxRetryMs = 5000
const monitoringTimeoutMs = 3000

/**
 * Connects and loads the log. Waits for as long as NATS cannot be reached, and logs why. Rejects
 * with a CoordinationError if NATS refuses the settings, or coordination refuses the servers.
 */
export async function openNatsCoordination(
  options: NatsCoordinationOptions,
): Promise<Coordination> {
  const { runtime, logger, signal } = options
  for (let retryMs = minRetryMs; ; retryMs = Math.min(retryMs * 2, maxRetryMs)) {
    try {
      return await open(options)
    } catch (error) {
      const isPassing =
        error instanceof CoordinationError && error.code === 'COORDINATION_UNAVAILABLE'
      if (!isPassing || signal?.aborted) throw error
      logger.warn({ error }, 'coordination cannot be reached; retrying')
      await sleep(runtime.clock, retryMs, signal)
    }
  }
}

async function open(options: NatsCoordinationOptions): Promise<Coordination> {
  const { runtime, logger, plan, name, copy } = options
  const { clock, scheduler } = runtime
  const random = runtime.random.fork('coordination')
  const { NatsLog } = await import('./log/nats/natsLog.ts')
  const { link, replicas } = await connectPlanned({
    runtime: { ...runtime, random },
    logger,
    plan,
    name,
  })
  try {
    const log = new NatsLog(link, plan.logName, replicas, { clock, random })
    return await openMember({
      ...{ log, clock, scheduler, random, logger, name, copy, requestTimeoutMs },
    })
  } catch (error) {
    await link.close()
    throw error
  }
}

/** Connects to servers that coordination accepts. The caller closes the link. */
export async function connectPlanned({
  runtime,
  logger,
  plan,
  name,
}: Omit<NatsCoordinationOptions, 'copy' | 'signal'>): Promise<AcceptedLink> {
  const { connectAccepted } = await import('./log/nats/acceptedLink.ts')
  const { clock, random } = runtime
  const { monitoringUrls: urls, ...stated } = plan.checks
  const monitoring = urls.length === 0 ? {} : { monitoring: { urls, read: readMonitoring } }
  return await connectAccepted(
    { ...plan.settings, name },
    {
      ...{ clock, random, checks: { ...stated, ...monitoring } },
      onWarning: (message) => logger.warn({}, message),
    },
  )
}

async function readMonitoring(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(monitoringTimeoutMs) })
    return await answer.text()
  } catch (error) {
    throw new CoordinationError(
      'COORDINATION_UNAVAILABLE',
      `cannot read ${url} (${(error as Error).message}): check the monitoring address of NATS`,
      error,
    )
  }
}
