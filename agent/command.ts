// `millrace agent`, with the arguments of `flume-ng agent`: the edge between the command line and
// the agent. Starts the agent, prints one line when it has started, and stops it on a signal. A
// mistake of the user ends with lines on standard error that say what to do, and with exit code 1.

import { access, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { firstOfSignals } from '../protocol/commandLine/stopSignals.ts'
import { ProgramRegistration, readNatsPlan } from '../protocol/coordination/programRegistration.ts'
import { registrationGroups } from '../protocol/coordination/recipes/registration.ts'
import { isLoopback } from '../protocol/runtime/network/loopback.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { processFigures } from '../protocol/runtime/process/processFigures.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import { type Clock, sleep } from '../protocol/runtime/time/clock.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import { exposeLostLines } from '../protocol/telemetry/logging/logLines.ts'
import { openLog } from '../protocol/telemetry/logging/programLog.ts'
import type { BuildInfo } from '../protocol/telemetry/metrics/buildInfo.ts'
import { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import { exposeProcess } from '../protocol/telemetry/metrics/processMetrics.ts'
import {
  type Agent,
  type AgentOptions,
  type ConfigurationFile,
  checkAgent,
  startAgent,
} from './agent.ts'
import { AgentHttp } from './agentHttp.ts'
import { type AgentArguments, parseArguments } from './commandArguments.ts'
import { AgentError } from './errors.ts'
import { exposeAgent } from './monitoring/agentMetrics.ts'
import { problemLines } from './planVerdict.ts'
import {
  type ReloadingAgent,
  type ReloadingAgentOptions,
  startReloadingAgent,
} from './reloadingAgent.ts'
import { monitoringAddress, unusedProperties } from './systemProperties.ts'

/** The command's access to its process. */
export interface CommandDependencies {
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Resolves when the agent should stop. */
  readonly stopRequested: () => Promise<void>
  /** Ends the process although components may still be running. */
  readonly endProcess: (code: number) => void
}

/**
 * Runs the command; `args` are those after `agent`. Returns the exit code; throws only for a bug.
 */
export async function agentCommand(
  args: readonly string[],
  build: BuildInfo,
  dependencies: CommandDependencies = thisProcess,
): Promise<number> {
  try {
    const parsed = parseArguments(args, dependencies)
    if (parsed === 'help') return 0
    return await run(parsed, build, dependencies)
  } catch (error) {
    if (!isOperational(error)) throw error
    dependencies.stderr(`millrace agent: ${error.message.replaceAll('\n', '\n  ')}\n`)
    return 1
  }
}

async function run(
  args: AgentArguments,
  build: BuildInfo,
  dependencies: CommandDependencies,
): Promise<number> {
  const { name, systemProperties } = args
  const configuration = await readFiles(args)
  const monitoring = monitoringAddress(systemProperties)
  const text = configuration.map((file) => file.text).join('\n')
  const warnings = [
    ...args.warnings,
    ...unusedProperties(systemProperties, text),
    ...(await environmentWarnings(args)),
  ]
  const { logger, lines } = await openLog(args.logging, 'info')
  const metrics = new Metrics()
  exposeLostLines(metrics, lines)
  exposeProcess(metrics, { program: 'agent', build, figures: processFigures() })
  const runtime = nodeRuntime(tcpNetwork)
  const options = {
    ...{ runtime, logger, metrics },
    name,
    configuration,
    systemProperties,
    environment: dependencies.environment,
    ...(monitoring && { monitoring }),
  }
  if (args.isDryRun) return await dryRun(options, warnings, dependencies)
  const files = configuration.map(({ path }) => path)
  const { version } = build
  logger.info({ agent: name, version, node: process.versions.node, files }, 'millrace agent')
  for (const warning of warnings) logger.warn({ agent: name }, warning)
  if (monitoring !== undefined) warnIfOpen(monitoring.host, 'the metrics page', logger)
  warnIfOpen(args.listen.host, 'the page of metrics and health', logger)
  const { clock } = runtime
  const http = await AgentHttp.start({
    ...{ clock, logger, listen: args.listen, isOpen: args.isInsecure },
    operations: {
      ...{ program: 'agent', build, clock, startedMs: clock.nowMs(), metrics },
      logLevel: logger,
    },
  })
  const registration = await register(args, runtime, logger, { version, health: http.url })
  try {
    return await serve(options, args, http, dependencies)
  } finally {
    await registration?.close()
    await http.close()
  }
}

/** Rejects for options that make no sense; a server that cannot be reached is waited for. */
async function register(
  { name, coordination }: AgentArguments,
  runtime: Runtime,
  logger: Logger,
  about: object,
): Promise<ProgramRegistration | undefined> {
  if (coordination === undefined) return undefined
  const plan = await readNatsPlan(runtime.disk, coordination)
  const host = hostname()
  return new ProgramRegistration({
    ...{ runtime, logger, plan, group: registrationGroups.agents, name: `${name}@${host}` },
    about: { agent: name, host, ...about },
  })
}

/** Runs the agent until it is asked to stop, or fails. */
async function serve(
  options: ReloadingAgentOptions & { readonly metrics: Metrics },
  args: AgentArguments,
  http: AgentHttp,
  dependencies: CommandDependencies,
): Promise<number> {
  const { name, logger } = options
  const starting = start(options, args)
  // Before the agent has started, so that a signal during the start is handled.
  const stopRequested = dependencies.stopRequested()
  const hasStarted = new AbortController()
  const tooLate = late(stopRequested, options.runtime.clock, hasStarted.signal)
  const agent = await Promise.race([starting, tooLate])
  hasStarted.abort()
  if (agent === undefined) {
    dependencies.stderr(
      `millrace agent: ${name} was stopped while starting, and did not finish within ${startTimeoutMs} ms\n`,
    )
    dependencies.endProcess(1)
    return 1
  }
  http.serves(agent)
  exposeAgent(options.metrics, () => ('agent' in agent ? agent.agent : agent))
  const { monitoring: page } = 'agent' in agent ? agent.agent : agent
  dependencies.stdout(`millrace agent ${name} started, health at ${http.url}${pageText(page)}\n`)
  let hanging: readonly string[] = []
  try {
    await Promise.race([stopRequested, agent.failed])
  } finally {
    const { clock } = options.runtime
    const stoppingMs = clock.monotonicMs()
    logger.info({ agent: name }, 'agent stopping')
    hanging = await agent.stop()
    const elapsedMs = Math.round(clock.monotonicMs() - stoppingMs)
    logger.info({ agent: name, elapsedMs, ...(hanging.length > 0 && { hanging }) }, 'agent stopped')
  }
  // A component that did not stop may keep the process alive.
  if (hanging.length > 0) dependencies.endProcess(1)
  return hanging.length > 0 ? 1 : 0
}

/** Time that a start may still take after a stop was requested. */
const startTimeoutMs = 10_000

function start(
  options: ReloadingAgentOptions,
  args: AgentArguments,
): Promise<Agent | ReloadingAgent> {
  const { reloadIntervalMs: intervalMs } = args
  if (intervalMs === undefined) return startAgent(options)
  return startReloadingAgent(options, { read: () => readFiles(args), intervalMs })
}

/** Resolves when a start takes longer than its limit after the stop was requested. */
async function late(
  stopRequested: Promise<void>,
  clock: Clock,
  hasStarted: AbortSignal,
): Promise<undefined> {
  await stopRequested
  await sleep(clock, startTimeoutMs, hasStarted)
}

async function dryRun(
  options: AgentOptions,
  warnings: readonly string[],
  { stdout }: CommandDependencies,
): Promise<number> {
  const { problems } = await checkAgent(options)
  const lines = [...warnings.map((warning) => `warning: ${warning}`), ...problemLines(problems)]
  stdout([...lines, `agent ${options.name} can be started`, ''].join('\n'))
  return 0
}

async function readFiles({ files, confDirectory }: AgentArguments): Promise<ConfigurationFile[]> {
  const read: ConfigurationFile[] = []
  for (const path of files) {
    let text = await readIfExists(path)
    if (text === undefined && confDirectory) text = await readIfExists(join(confDirectory, path))
    if (text === undefined || text === '') {
      const reason = text === '' ? 'is empty' : 'does not exist'
      throw new AgentError(
        'CONFIGURATION',
        `${path} ${reason}: pass the path of a flume.conf with --conf-file`,
      )
    }
    read.push({ path, text })
  }
  return read
}

/** Java reads properties as ISO-8859-1. */
async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new AgentError(
      'CONFIGURATION',
      `${path} cannot be read: ${(error as Error).message}`,
      error,
    )
  }
}

/** Warns of flume-env.sh in the `--conf` directory, which Flume's start script would read. */
async function environmentWarnings({ confDirectory }: AgentArguments): Promise<string[]> {
  if (confDirectory === undefined) return []
  const script = join(confDirectory, 'flume-env.sh')
  try {
    await access(script)
  } catch {
    return []
  }
  return [`${script} is not read: pass its -D options on the command line`]
}

function warnIfOpen(host: string, what: string, logger: Logger): void {
  if (isLoopback(host)) return
  logger.warn(
    { host },
    `${what} listens on ${host} without authentication: every host that can reach it can read it`,
  )
}

function pageText(page: Address | undefined): string {
  return page === undefined ? '' : `, Flume's metrics on http://${page.host}:${page.port}/metrics`
}

const thisProcess: CommandDependencies = {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  environment: process.env,
  // SIGHUP stops the agent in order, as in Flume. No signal reloads the configuration: it is
  // reloaded when its files change.
  stopRequested: () => firstOfSignals(['SIGINT', 'SIGTERM', 'SIGHUP']),
  // Not process.exit: it waits for threads, one of which may be blocked on a disk.
  endProcess: () => process.kill(process.pid, 'SIGKILL'),
}
