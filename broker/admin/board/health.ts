// Derives the problems of a picture, one line each. "All is well" on the page and on the terminal
// means that this list is empty: everything an operator must act on belongs here.

import { duration, percent } from '../../../protocol/telemetry/figures.ts'
import type { AgentPicture, JobPicture, Problem, TopicPicture } from './picture.ts'

/** Fill of a channel, 0 to 1, from which its sources will soon stop. */
export const nearlyFull = 0.9
/** A result that is further behind is a problem, unless the job's batch interval explains it. */
export const behindAfterMs = 30_000
/** A batch that runs longer may hang, unless the job's batch interval explains it. */
export const batchHangsAfterMs = 30_000
/**
 * A sink that drains nothing for this long, while its channel holds events, has failed or hangs.
 */
export const undrainedAfterMs = 15_000
/** A job is slow if this many of its latest batches took longer than the interval. */
const slowBatches = 5

interface Parts {
  readonly agents: readonly AgentPicture[]
  readonly topics: readonly TopicPicture[]
  readonly jobs: readonly JobPicture[]
  /** Problems that the broker reports, and failures of the console to reach the broker. */
  readonly broker: readonly string[]
}

/** Returns the problems, most serious first: broker, topics, jobs, agents. */
export function problemsOf({ agents, topics, jobs, broker }: Parts): Problem[] {
  return [
    ...broker.map((text) => ({ subject: 'broker', id: '', text }) as const),
    ...topics.flatMap(({ name, partitions, offlinePartitions }) =>
      offlinePartitions === 0
        ? []
        : problem(
            'topic',
            `topic/${name}`,
            `topic ${name} has no leader for ${offlinePartitions} of ${partitions} partitions`,
          ),
    ),
    ...jobs.filter(({ state }) => state === 'failed').map(failed),
    ...jobs.filter(({ state }) => state === 'running').flatMap(jobProblems),
    ...agents.filter(({ state }) => state === 'running').flatMap(agentProblems),
  ]
}

function failed({ id, name, error }: JobPicture): Problem {
  const [reason = ''] = (error ?? '').split('\n')
  return problem('job', id, `job ${name} FAILED${reason && `: ${reason}`}`)
}

function jobProblems({ id, name, silent, ageMs, lagMs, batchIntervalMs, ...job }: JobPicture) {
  if (silent) return [problem('job', id, `job ${name} silent for ${duration(ageMs)}`)]
  // A batch that hangs is the cause of the delay, so it is reported instead.
  const { slowBatch } = job
  if (slowBatch && slowBatch.runningMs > Math.max(batchHangsAfterMs, 5 * batchIntervalMs)) {
    return [problem('job', id, `job ${name}: ${slowBatch.text}`)]
  }
  if (lagMs !== null && lagMs > Math.max(behindAfterMs, 5 * batchIntervalMs)) {
    return [problem('job', id, `job ${name} is ${duration(lagMs)} behind`)]
  }
  const { slowBatches: slow, lastBatch } = job
  if (slow < slowBatches || !lastBatch) return []
  const took = duration(lastBatch.processingTimeMs)
  const text = `job ${name}: batches take ${took}, the interval is ${duration(batchIntervalMs)}`
  return [problem('job', id, text)]
}

function agentProblems(agent: AgentPicture): Problem[] {
  const { id, name, silent, ageMs, channel, channelFill, undrainedMs } = agent
  if (silent) return [problem('agent', id, `agent ${name} silent for ${duration(ageMs)}`)]
  const text: string[] = []
  if (undrainedMs > undrainedAfterMs) text.push(`no sink has sent for ${duration(undrainedMs)}`)
  if (channelFill >= nearlyFull) text.push(`channel ${channel} is ${percent(channelFill)} full`)
  return text.length === 0 ? [] : [problem('agent', id, `agent ${name}: ${text.join(', ')}`)]
}

function problem(subject: Problem['subject'], id: string, text: string): Problem {
  return { subject, id, text }
}
