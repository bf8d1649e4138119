// Describes a history with a wrong result to the author of the job: what was read, what failed, the
// expected and the actual result, and where to look first.

import type { DifferingHistory } from './differingHistory.ts'
import type { HistoryPlan } from './history.ts'
import type { HistoryEvent, Outcome } from './historyRun.ts'

interface Story {
  readonly found: DifferingHistory
  readonly job: string
  /** Number of input records. */
  readonly inputs: number
  /** The history before it was shrunk. */
  readonly from: HistoryPlan
  readonly events: readonly HistoryEvent[]
  readonly hints: readonly string[]
}

export function historyText({ found, job, inputs, from, events, hints }: Story): string {
  const { seed, plan, differences, isByBatching } = found
  const against = isByBatching ? 'with all records in one batch' : 'in a calm run'
  const records = recordsOf(plan)
  const lines = [
    `job '${job}' has another result than ${against} (seed ${seed}; shrunk from ` +
      `${recordsOf(from)} of ${inputs} records and ${plural(from.faults.length, 'fault')} to ` +
      `${plural(records, 'record')} and ${plural(plan.faults.length, 'fault')}):`,
    '',
    ...events.map(({ timeMs, text }) => `  ${clockTime(timeMs)}  ${text}`),
    ...changes(plan).map((change) => `  ${' '.repeat(8)}  ${change}`),
    '',
    ...differences.map(({ text }) => `  ${text}`),
    '',
    ...hints.map((hint) => `hint: ${hint}`),
    `repeat with: explore(job, inputs, { seeds: [${seed}] })`,
  ]
  return lines.join('\n')
}

/** `uses`: places where the job reads the clock or random numbers, each with which of the two. */
export function hintsOf(
  { plan, differences, isByBatching, isUnrepeatable = false }: DifferingHistory,
  outcome: Outcome,
  uses: ReadonlyMap<string, string>,
): string[] {
  if (isUnrepeatable) return [memory]
  const hints: string[] = []
  const where = (use: string) => [...uses].filter(([, kind]) => kind === use).map(([at]) => at)
  const clock = where('clock')
  const random = where('random')
  if (clock.length > 0 && (plan.otherClock || isByBatching || plan.faults.length > 0)) {
    hints.push(
      `the job reads the clock (${clock.join(', ')}), and a batch that is rerun reads another time; use ` +
        "the event's own time, or the nominal time of the batch",
    )
  }
  if (random.length > 0) {
    hints.push(
      `the job draws random numbers (${random.join(', ')}), and a batch that is rerun draws others; ` +
        'derive them from the record, for example by a hash of its key',
    )
  }
  const again = [...outcome.runs].find(([, runs]) => runs > 1)
  if (again && differences.some(({ kind }) => kind === 'list')) {
    hints.push(
      `foreachRDD ran ${again[1]} times for batch ${again[0]} and the sink appends; put values under keys, ` +
        'or write in a transaction of the batch',
    )
  }
  if (plan.otherOrder) {
    hints.push(
      'the result depends on the order in which values of different partitions arrive; a reduce must be ' +
        'associative and commutative (sums of fractions are not), and the values of a group have no order',
    )
  }
  if (isByBatching && clock.length === 0) {
    hints.push(
      'the result depends on where batches end or on the order of rows; a reduce must be associative and commutative, an update ' +
        'must not count its calls, and the time of a batch must not stand for that of an event. If this is intended, exclude it with ' +
        '{ compare: { exclude } }',
    )
  }
  return hints.length > 0 ? hints : [memory]
}

const memory =
  'a function of the job keeps state between calls (a variable outside of it, a cache, a counter): ' +
  'a retried task or batch sees what the first attempt left, and another process sees nothing'

function changes({ otherOrder, otherClock, otherRandom }: HistoryPlan): string[] {
  return [
    ...(otherOrder ? ['shuffle blocks arrive in another order'] : []),
    ...(otherClock ? ['the clock of the machine shows another time'] : []),
    ...(otherRandom ? ['other random numbers are drawn'] : []),
  ]
}

function recordsOf({ batches }: HistoryPlan): number {
  return batches.reduce((sum, { records }) => sum + records.length, 0)
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function clockTime(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(11, 19)
}
