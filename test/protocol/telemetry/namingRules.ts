// The conventions for names and help texts of metrics: Prometheus' conventions, and unchanged names
// of other systems.

import type { MetricSpec } from '../../../protocol/telemetry/metrics/metricSpec.ts'

/** Names of other systems, which break our rules and must not be changed: dashboards use them. */
const foreign = /^kafka_/
const baseUnits = /_(?:seconds|bytes)(?:_total)?$/
const otherUnits = /_(?:ms|millis|milliseconds|micros|minutes|hours|kb|mb|kilobytes|percent)(?:_|$)/

/** Returns the rules that a row breaks, as sentences. */
export function breaches(spec: MetricSpec): string[] {
  const { name, type, help, labels = [], buckets } = spec
  const found: string[] = []
  const rule = (holds: boolean, breach: string) => void (holds || found.push(`${name} ${breach}`))
  rule(/^[a-z][a-z0-9_]*$/.test(name), 'is not snake case')
  rule(!otherUnits.test(name), 'has a unit that is not a base unit')
  rule(type !== 'counter' || name.endsWith('_total'), 'is a counter without _total')
  rule(type === 'counter' || !name.endsWith('_total'), 'ends in _total and is no counter')
  rule(!/_(?:bucket|sum|count)$/.test(name) || foreign.test(name), 'ends as a part of a histogram')
  rule(
    foreign.test(name) || !/seconds|bytes/.test(name) || baseUnits.test(name),
    'has its unit inside',
  )
  rule(/^[0-9A-Z][^\n]*\.$/.test(help), 'has a help that is no sentence')
  rule(help.length <= 250, 'has a help that no table can hold')
  rule(new Set(labels).size === labels.length, 'has a label twice')
  rule(
    labels.every((label) => /^[a-z][a-z_]*$/.test(label)),
    'has a label that is not snake case',
  )
  rule(!labels.includes('le'), 'has the label of buckets')
  rule((type === 'histogram') === (buckets !== undefined), 'must have buckets, as a histogram only')
  const rising = (buckets ?? []).every((bound, at, all) => at === 0 || bound > all[at - 1]!)
  rule(rising, 'has buckets that do not rise')
  return found
}
