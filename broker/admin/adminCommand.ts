// The command `millrace admin`: serves the console and the admin REST API for a cluster that runs
// elsewhere, of Kafka or Millrace brokers. Contract: an unreachable cluster neither prevents the
// start nor needs a restart later; the server reconnects.

import { Admin } from '../../protocol/client/admin.ts'
import { parseBootstrap } from '../../protocol/client/bootstrap.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { requireLogFile } from '../../protocol/commandLine/loggingOptions.ts'
import { firstStopSignal } from '../../protocol/commandLine/stopSignals.ts'
import { onUsualPort } from '../../protocol/commandLine/usualPort.ts'
import { healthOf } from '../../protocol/operations/health.ts'
import type { OperationsOptions } from '../../protocol/operations/operationsOptions.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../../protocol/runtime/operational.ts'
import { processFigures } from '../../protocol/runtime/process/processFigures.ts'
import { exposeLostLines } from '../../protocol/telemetry/logging/logLines.ts'
import { type LoggingOptions, openLog } from '../../protocol/telemetry/logging/programLog.ts'
import type { BuildInfo } from '../../protocol/telemetry/metrics/buildInfo.ts'
import { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import { exposeProcess } from '../../protocol/telemetry/metrics/processMetrics.ts'
import { exposeSampledTopics } from './adminExposure.ts'
import { adminReasons } from './adminReasons.ts'
import { type ServedConsole, startConsole } from './console.ts'
import { SampledTopics } from './sampledTopics.ts'

export interface AdminArguments extends LoggingOptions {
  /** Bootstrap addresses, comma-separated `host:port`. */
  readonly bootstrap: string
  /** Port of the console and the API, on 127.0.0.1. */
  readonly port?: number | undefined
  readonly build: BuildInfo
}

const usualPort = 8080
/** Timeout of one request to a broker; the client then retries. */
const requestTimeoutMs = 5_000

/** Serves until SIGINT or SIGTERM. Sets the exit code; never throws for a mistake of the user. */
export async function adminCommand(args: AdminArguments): Promise<void> {
  const stopped = firstStopSignal()
  let server: AdminServing
  try {
    server = await serve(args)
  } catch (error) {
    if (!isOperational(error)) throw error
    process.stderr.write(`millrace admin: ${error.message}\n`)
    process.exitCode = 1
    return
  }
  process.stdout.write(
    `millrace admin for the cluster at ${args.bootstrap}: console at ${server.url}, REST API at ${server.url}api\n`,
  )
  await stopped
  await server.close()
}

interface AdminServing {
  readonly url: string
  close(): Promise<void>
}

async function serve(args: AdminArguments): Promise<AdminServing> {
  const startedMs = Date.now()
  const bootstrap = parseBootstrap(args.bootstrap)
  requireLogFile(args)
  const { logger, lines } = await openLog(args, 'info')
  const runtime = nodeRuntime(tcpNetwork)
  const { clock } = runtime
  const metrics = new Metrics()
  exposeLostLines(metrics, lines)
  const { build } = args
  const endMetrics = exposeProcess(metrics, { program: 'admin', build, figures: processFigures() })
  const cluster = new Cluster(runtime, {
    ...{ bootstrap, clientId: 'millrace-admin', requestTimeoutMs },
    allowAutoTopicCreation: false,
  })
  const topics = new SampledTopics(new Admin(cluster), clock, logger)
  exposeSampledTopics(metrics, topics)
  const operations: OperationsOptions = {
    ...{ program: 'admin', build, clock, startedMs, metrics, logLevel: logger },
    health: healthOf(adminReasons, () => {
      const { problem } = topics
      return problem === undefined ? [] : [{ code: 'CLUSTER_UNREACHABLE', ...problem }]
    }),
  }
  const start = (port: number) =>
    startConsole({
      ...{ runtime, logger, bootstrap, operations, metrics, portOption: '--port' },
      address: { host: '127.0.0.1', port },
      topics: () => topics.topics(),
    })
  let console: ServedConsole
  try {
    console = await onUsualPort(args.port, usualPort, start)
  } catch (error) {
    endMetrics()
    await cluster.close()
    throw error
  }
  topics.start()
  logger.info({ bootstrap: args.bootstrap, url: console.url }, 'admin server started')
  return {
    url: console.url,
    async close() {
      logger.info({}, 'admin server stopping')
      await cluster.close()
      await Promise.all([topics.stop(), console.close()])
      endMetrics()
      logger.info({}, 'admin server stopped')
    },
  }
}
