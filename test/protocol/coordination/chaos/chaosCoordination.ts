// Coordination of one member of a chaos run, on a connection of its own. A short timeout of
// requests makes unknown outcomes frequent; without one, the member is opened as programs do it.

import type { Coordination } from '../../../../protocol/coordination/coordination.ts'
import { connectNats } from '../../../../protocol/coordination/log/nats/natsLink.ts'
import { NatsLog } from '../../../../protocol/coordination/log/nats/natsLog.ts'
import { openMember } from '../../../../protocol/coordination/member/member.ts'
import { openNatsCoordination } from '../../../../protocol/coordination/natsCoordination.ts'
import { retryUntilKnown } from '../../../../protocol/coordination/recipes/retry.ts'
import { systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../../protocol/telemetry/logging/logger.ts'
import { nowUs, type Report } from './chaosEvents.ts'

/** Plain data: a process gets them as JSON. */
export interface ChaosMemberPlan {
  readonly name: string
  readonly servers: readonly string[]
  readonly seed: number
  /** When the run began. */
  readonly startedAt: number
  readonly requestTimeoutMs?: number
}

export const chaosLogName = 'chaos'
const replicas = 3

export async function openChaosCoordination(
  { name, servers, requestTimeoutMs }: ChaosMemberPlan,
  report: Report,
): Promise<Coordination> {
  const logger = reportingLogger(name, report)
  const runtime = { clock: systemClock, random: systemRandom(), scheduler: systemScheduler }
  if (requestTimeoutMs === undefined) {
    const checks = { syncIsAlways: true, monitoringUrls: [] }
    const plan = { logName: chaosLogName, settings: { servers }, checks }
    return openNatsCoordination({ runtime, logger, plan, name })
  }
  return retryUntilKnown(systemClock, async () => {
    const link = await connectNats({ servers, name }, runtime)
    try {
      const log = new NatsLog(link, chaosLogName, replicas, runtime)
      return await openMember({ log, ...runtime, logger, name, requestTimeoutMs })
    } catch (error) {
      await link.close()
      throw error
    }
  })
}

/** Reports what a program would log as a warning or an error. */
function reportingLogger(member: string, report: Report): Logger {
  const add = (fields: object, text: string) => {
    const { error } = fields as { error?: unknown }
    const message = error instanceof Error ? `${text}: ${error.message}` : text
    report({ kind: 'log', member, message, at: nowUs() })
  }
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: add,
    error: add,
    child: () => logger,
  }
  return logger
}
