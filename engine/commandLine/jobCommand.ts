// `millrace job list|describe|stop|kill|savepoint`: finds a job by its name in the status topic, or
// by its directory, and sends requests to its HTTP server.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { parseBootstrap } from '../../protocol/client/bootstrap.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import { isLoopback } from '../../protocol/runtime/network/loopback.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { sleep, systemClock } from '../../protocol/runtime/time/clock.ts'
import { count, duration } from '../../protocol/telemetry/figures.ts'
import { harmless } from '../../protocol/telemetry/logging/harmlessText.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { followStatus } from '../../protocol/telemetry/status/statusFollower.ts'
import { readAddress } from '../address/addressFile.ts'
import { JobClient } from '../address/jobClient.ts'
import { EngineError } from '../engineError.ts'
import { instanceOf, nameOf } from '../lifecycle/nameClaim.ts'
import { describeJob, jobTable, stateOf, summary } from './jobListing.ts'
import { describeStored, storedJob } from './storedJob.ts'

/** Selects the job of a command. */
export interface JobSelection {
  readonly bootstrap: string
  readonly name?: string | undefined
  /** Selects one of several jobs of the same name. */
  readonly instance?: string | undefined
  /** Finds the job by its directory on this host, without a broker. */
  readonly directory?: string | undefined
}

interface FoundJob {
  readonly name: string
  readonly client: JobClient
}

/** Limit on reading the status topic; shorter when the broker refuses connections. */
const readTimeoutMs = 15_000
const refusedAfterMs = 2_500
const pollMs = 100
/** Limit on the time from the end of the current batch to the end of the job. */
const endTimeoutMs = 25_000
const defaultStopTimeoutMs = 10_000
const usualColumns = 80
/** Limit on the jobs that a message names. */
const shownOthers = 5

export async function listCommand(options: { bootstrap: string; json?: true }): Promise<void> {
  const statuses = await jobStatuses(options.bootstrap)
  const nowMs = systemClock.nowMs()
  if (options.json) {
    print(JSON.stringify(statuses.map((status) => summary(status, nowMs))))
  } else if (statuses.length === 0) print(`no job has reported to ${options.bootstrap}`)
  else for (const line of jobTable(statuses, nowMs, columns())) print(line)
}

export async function describeCommand(
  selection: JobSelection & { readonly json?: true },
): Promise<void> {
  const { status, client, note } = await described(selection)
  const live = await client?.status().catch(() => undefined)
  const description = live && (await client?.describe().catch(() => undefined))
  const shown = live ?? status
  if (!shown) {
    const stored = await storedJob(nodeDisk, resolve(selection.directory ?? ''))
    for (const line of selection.json ? [JSON.stringify(stored)] : describeStored(stored))
      print(line)
    return
  }
  if (selection.json) {
    print(JSON.stringify({ status: shown, ...(description && { description }) }))
    return
  }
  for (const line of describeJob(shown, description, systemClock.nowMs())) print(line)
  if (note !== undefined) print(note)
}

export async function stopCommand(
  selection: JobSelection & { readonly timeout?: number },
): Promise<void> {
  const { name, client } = await running(selection)
  const timeoutMs = selection.timeout === undefined ? undefined : selection.timeout * 1000
  await client.stop(timeoutMs)
  await untilGone(name, client, (timeoutMs ?? defaultStopTimeoutMs) + endTimeoutMs)
  await sayEnd(selection, name, client)
}

export async function killCommand(selection: JobSelection): Promise<void> {
  const { name, client } = await running(selection)
  await client.kill()
  await untilGone(name, client, endTimeoutMs)
  print(`job ${name} has ended; its current batch, if any, is repeated at the next start`)
}

/** Writes a savepoint of a running job, or of a stopped one selected by `directory`. */
export async function savepointCommand(
  selection: JobSelection & { readonly to: string; readonly version: string },
): Promise<void> {
  const to = resolve(selection.to)
  const { directory } = selection
  if (directory !== undefined && !(await isRunningIn(directory))) {
    const { saveJob } = await import('../savepoint/saveJob.ts')
    const { storedStates } = await import('./rewindCommand.ts')
    const { manifest } = await saveJob({
      ...{ disk: nodeDisk, directory: resolve(directory), target: to },
      ...{ millrace: selection.version, states: storedStates(nodeDisk) },
    })
    const { job, commit } = manifest
    print(`savepoint of job ${job} after batch ${commit.batchId} written to ${to}`)
    return
  }
  const { name, client } = await running(selection)
  const { target, batchId, bytes } = await client.savepoint(to)
  const size = bytes === undefined ? '' : `, ${count(bytes)} bytes`
  print(`savepoint of job ${name} after batch ${batchId} written to ${harmless(target)}${size}`)
}

async function isRunningIn(directory: string): Promise<boolean> {
  const address = await readAddress(nodeDisk, resolve(directory))
  return address !== undefined && (await isThere(new JobClient(address.url, address.id)))
}

/** Returns the newest status of each job, sorted by name. Fails with JOB_UNREACHABLE. */
async function jobStatuses(bootstrap: string): Promise<JobStatus[]> {
  const cluster = new Cluster(nodeRuntime(tcpNetwork), {
    ...{ bootstrap: parseBootstrap(bootstrap), clientId: 'millrace-job' },
    ...{ allowAutoTopicCreation: false, requestTimeoutMs: 5_000 },
  })
  const statuses: JobStatus[] = []
  const read = new AbortController()
  const follower = followStatus(cluster, systemClock, silentLogger, {
    wants: (id) => id.startsWith('job/'),
    heard: (status) => {
      if (status.kind === 'job' && !read.signal.aborted) statuses.push(status)
    },
    caughtUp: () => read.abort(),
  })
  try {
    await untilRead(read.signal, () => follower.failure?.reason, bootstrap)
  } finally {
    await Promise.all([follower.stop(), cluster.close()])
  }
  return statuses.sort((a, b) => (a.name === b.name ? b.timeMs - a.timeMs : order(a.name, b.name)))
}

function order(one: string, other: string): number {
  return one < other ? -1 : 1
}

async function untilRead(
  read: AbortSignal,
  failure: () => string | undefined,
  bootstrap: string,
): Promise<void> {
  const startMs = systemClock.monotonicMs()
  for (;;) {
    await sleep(systemClock, pollMs, read)
    if (read.aborted) return
    const waitedMs = systemClock.monotonicMs() - startMs
    const reason = failure()
    if (waitedMs < (reason === undefined ? readTimeoutMs : refusedAfterMs)) continue
    throw new EngineError(
      'JOB_UNREACHABLE',
      `cannot read the statuses of jobs from ${bootstrap}: ${reason ?? 'no response'}; check that a broker is running there`,
    )
  }
}

interface Described {
  readonly status?: JobStatus | undefined
  readonly client?: JobClient | undefined
  /** Other instances of the same name, as lines to print. */
  readonly note?: string
}

async function described(selection: JobSelection): Promise<Described> {
  const { directory } = selection
  if (directory !== undefined) {
    const address = await readAddress(nodeDisk, resolve(directory))
    return address === undefined ? {} : { client: new JobClient(address.url, address.id) }
  }
  const found = await named(selection)
  const nowMs = systemClock.nowMs()
  const alive = found.filter((status) => stateOf(status, nowMs) === 'running')
  if (alive.length > 1) throw ambiguous(selection, alive)
  const status = alive[0] ?? found[0]!
  const others = found.filter((other) => other !== status)
  const client = clientOf(status)
  const more =
    others.length > shownOthers ? [`  also      ${others.length - shownOthers} more`] : []
  const lines = others.slice(0, shownOthers).map((other) => otherText(other, nowMs))
  const note = [...lines, ...more].join('\n')
  return { status, ...(client && { client }), ...(note !== '' && { note }) }
}

function otherText(other: JobStatus, nowMs: number): string {
  const { instance, state, sinceMs } = summary(other, nowMs)
  return `  also      instance ${instance}: ${state} for ${duration(nowMs - sinceMs)}`
}

/** Returns the selected job if it runs and answers. Fails with JOB_UNKNOWN or JOB_UNREACHABLE. */
async function running(selection: JobSelection): Promise<FoundJob> {
  if (selection.directory !== undefined) return await inDirectory(selection.directory)
  const found = await named(selection)
  const nowMs = systemClock.nowMs()
  const alive = found.filter((status) => stateOf(status, nowMs) === 'running')
  if (alive.length > 1) throw ambiguous(selection, alive)
  const [status] = alive
  if (!status) throw notRunning(found[0]!, nowMs)
  const client = clientOf(status)
  if (!client) throw onOtherHost(status)
  if (!(await isThere(client))) throw stale(status)
  return { name: status.name, client }
}

/** Whether the job answers at its address, or runs there but is blocked by its own code. */
async function isThere(client: JobClient): Promise<boolean> {
  try {
    return (await client.status()) !== undefined
  } catch (error) {
    if (saysBusy(error)) return true
    throw error
  }
}

function saysBusy(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'DRIVER_HELD' || code === 'JOB_NOT_READY'
}

async function inDirectory(directory: string): Promise<FoundJob> {
  const address = await readAddress(nodeDisk, resolve(directory))
  const client = address && new JobClient(address.url, address.id)
  if (client && (await isThere(client))) return { name: nameOf(address.id), client }
  const left = address
    ? `; its address file (${address.url}) was left behind by a process that was killed`
    : ''
  throw new EngineError('JOB_UNKNOWN', `no job runs in ${directory}${left}`)
}

/**
 * Returns the statuses of the jobs of this name, newest first. Fails with JOB_UNKNOWN without one.
 */
async function named({ bootstrap, name, instance }: JobSelection): Promise<JobStatus[]> {
  if (name === undefined) {
    throw new EngineError('JOB_UNKNOWN', 'no job selected: give its name or --directory')
  }
  const all = await jobStatuses(bootstrap)
  const found = all.filter(
    (status) =>
      status.name === name && (instance === undefined || instanceOf(status.id) === instance),
  )
  if (found.length > 0) return found
  const nowMs = systemClock.nowMs()
  const known = all.slice(0, shownOthers).map((status) => {
    return `${status.name} (${stateOf(status, nowMs)}, instance ${instanceOf(status.id)})`
  })
  const more = all.length > shownOthers ? ` and ${all.length - shownOthers} more` : ''
  const which =
    known.length === 0 ? 'no job has reported' : `known jobs: ${known.join(', ')}${more}`
  const wanted = instance === undefined ? `'${name}'` : `'${name}' with instance ${instance}`
  throw new EngineError(
    'JOB_UNKNOWN',
    harmless(`there is no job ${wanted} at ${bootstrap}; ${which}`),
  )
}

/** Returns undefined for a loopback address of another host. */
function clientOf({ address, host, id }: JobStatus): JobClient | undefined {
  if (address === undefined || !/^http:\/\/[^/@?#]+$/.test(address) || !URL.canParse(address)) {
    return undefined
  }
  const isElsewhere = host !== undefined && host !== hostname()
  return isElsewhere && isLoopback(new URL(address).hostname)
    ? undefined
    : new JobClient(address, id)
}

async function untilGone(name: string, client: JobClient, timeoutMs: number): Promise<void> {
  const startMs = systemClock.monotonicMs()
  while (systemClock.monotonicMs() - startMs < timeoutMs) {
    if (await isOver(client)) return
    await sleep(systemClock, pollMs)
  }
  throw new EngineError(
    'JOB_UNREACHABLE',
    `job ${name} has not stopped within ${duration(timeoutMs)}: check its log, or end it with ` +
      `'millrace job kill ${name}'`,
  )
}

/**
 * Whether the job has ended. A driver blocked by the job's code does not answer, but has not ended.
 */
async function isOver(client: JobClient): Promise<boolean> {
  try {
    return !(await isThere(client))
  } catch (error) {
    if ((error as { code?: unknown }).code === 'JOB_UNREACHABLE') return false
    throw error
  }
}

/** Prints how the job ended. Its last status is published before its address is removed. */
async function sayEnd(selection: JobSelection, name: string, client: JobClient): Promise<void> {
  if (selection.directory !== undefined) {
    print(`job ${name} has ended`)
    return
  }
  const statuses = await jobStatuses(selection.bootstrap)
  const last = statuses.find((status) => status.name === name && client.isOf(status))
  if (last?.state === 'failed') {
    throw new EngineError('STAGE_FAILED', `job ${name} has failed: ${harmless(last.error ?? '')}`)
  }
  const after = last?.batches.at(-1)
  const batch = after === undefined ? '' : ` after batch ${after.id}`
  const total = last === undefined ? '' : `, ${count(last.recordsTotal)} records counted`
  const isBroken = last?.state === 'running'
  print(`job ${name} ${isBroken ? 'ended without a final status' : 'stopped'}${batch}${total}`)
}

function ambiguous({ name }: JobSelection, found: readonly JobStatus[]): EngineError {
  const which = found.map(({ id, host }) => `${instanceOf(id)}${host ? ` on host ${host}` : ''}`)
  return new EngineError(
    'JOB_UNKNOWN',
    harmless(
      `${found.length} jobs named '${name}' are running: select one with --instance: ${which.join(', ')}`,
    ),
  )
}

function notRunning(status: JobStatus, nowMs: number): EngineError {
  const { state, sinceMs } = summary(status, nowMs)
  const since = duration(nowMs - sinceMs)
  const reason =
    state === 'silent'
      ? `has not reported for ${since}: it was killed, or cannot reach the broker`
      : `is not running: ${state} ${since} ago`
  return new EngineError('JOB_UNKNOWN', harmless(`job '${status.name}' ${reason}`))
}

function onOtherHost({ name, host, address }: JobStatus): EngineError {
  const reason =
    address === undefined
      ? 'has no address: it runs inside another program'
      : `is reachable only from host ${host}, at ${address}: run this command there, or start the job with --listen`
  return new EngineError('JOB_UNREACHABLE', harmless(`job '${name}' ${reason}`))
}

function stale({ name, address }: JobStatus): EngineError {
  return new EngineError(
    'JOB_UNREACHABLE',
    harmless(`job '${name}' does not answer at ${address}: it was probably killed; check its host`),
  )
}

/** Returns the width of the terminal; Infinity elsewhere, so that names are not cut. */
function columns(): number {
  return process.stdout.isTTY ? process.stdout.columns || usualColumns : Number.POSITIVE_INFINITY
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
