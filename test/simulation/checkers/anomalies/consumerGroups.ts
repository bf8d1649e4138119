// Anomalies of consumer groups: two-owners, stale-generation-commit.
//
// Contract: a generation gives a partition to one member. A commit is not accepted from a
// generation once a member of the group has joined a later one.

import type { AnomalyList } from '../anomaly.ts'
import { type Call, commitsOf } from '../calls.ts'
import type { Observations } from '../observations.ts'
import type { Rebalance } from '../operations.ts'
import type { PartitionName } from '../value.ts'

export function checkConsumerGroups(seen: Observations, found: AnomalyList): void {
  checkOwners(seen, found)
  checkGenerations(seen, found)
}

function checkOwners(seen: Observations, found: AnomalyList): void {
  const owned = new Map<string, Set<PartitionName>>()
  const owners = new Map<string, Call>()
  for (const call of seen.calls.completed) {
    const operation = call.operation
    if (operation.kind === 'crash') forget(call.process, owned, owners)
    if (operation.kind !== 'rebalance' || call.type !== 'ok') continue
    for (const name of ownedAfter(call.process, operation, owned)) {
      const key = `${operation.group} ${operation.generation} ${name}`
      const other = owners.get(key)
      owners.set(key, call)
      if (other === undefined || other.process === call.process) continue
      found.add(
        'two-owners',
        false,
        [other.entry, call.entry],
        () =>
          `${other.process} and ${call.process} both own ${name} in generation ` +
          `${operation.generation} of the group ${operation.group}`,
      )
    }
  }
}

function ownedAfter(
  process: string,
  operation: Rebalance,
  owned: Map<string, Set<PartitionName>>,
): ReadonlySet<PartitionName> {
  const key = `${process} ${operation.group}`
  const partitions = owned.get(key) ?? new Set()
  owned.set(key, partitions)
  for (const name of operation.revoked) partitions.delete(name)
  for (const name of operation.assigned) partitions.add(name)
  return partitions
}

/** A static member may come back into its generation under the name of another process. */
function forget(
  process: string,
  owned: Map<string, Set<PartitionName>>,
  owners: Map<string, Call>,
): void {
  for (const key of owned.keys()) if (key.startsWith(`${process} `)) owned.delete(key)
  for (const [key, call] of owners) if (call.process === process) owners.delete(key)
}

function checkGenerations(seen: Observations, found: AnomalyList): void {
  // By group: the rebalances that began a generation later than any before.
  const newest = new Map<string, Call[]>()
  for (const call of seen.calls.completed)
    if (call.operation.kind === 'rebalance' && call.type === 'ok') {
      const known = newest.get(call.operation.group) ?? []
      newest.set(call.operation.group, known)
      if (generationOf(known.at(-1)) < call.operation.generation) known.push(call)
    }
  for (const call of seen.calls.completed) {
    if (call.type !== 'ok' || call.outcome !== 'committed') continue
    for (const commit of commitsOf(call.operation)) {
      const { group, generation } = commit
      if (generation === undefined) continue
      const later = firstAfter(newest.get(group) ?? [], generation)
      if (later === undefined || later.completedAt > call.invokedAt) continue
      found.add(
        'stale-generation-commit',
        false,
        [later.entry, call.entry],
        () =>
          `${call.process} committed offsets of the group ${group} as a member of generation ` +
          `${generation}, after generation ${generationOf(later)} had begun`,
      )
    }
  }
}

/** The first rebalance of a later generation; `rebalances` are in the order of generations. */
function firstAfter(rebalances: readonly Call[], generation: number): Call | undefined {
  let low = 0
  let high = rebalances.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (generationOf(rebalances[middle]) <= generation) low = middle + 1
    else high = middle
  }
  return rebalances[low]
}

function generationOf(call: Call | undefined): number {
  return call?.operation.kind === 'rebalance' ? call.operation.generation : -1
}
