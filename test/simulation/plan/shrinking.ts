// Shrinks a failing plan with fast-check: deletes faults and rare points, makes the network, the
// disks and the clocks plain, and shortens what remains, as long as the plan fails in the same way.
// The seed stays: what a plan does not say is drawn from it.

import fc from 'fast-check'
import { quietNetwork } from '../world/network/simulatedNetwork.ts'
import type { Fault } from './faults.ts'
import type { Plan } from './plan.ts'

export interface ShrinkOptions {
  /** Whether the plan fails in the same way. */
  readonly fails: (plan: Plan) => Promise<boolean>
  /** Limit on the time of each of the steps, in ms. */
  readonly stepMs: number
}

interface Kept {
  readonly faults: readonly Fault[]
  readonly rare: readonly string[]
  readonly load: Readonly<Record<string, number>>
  readonly safetyMs: number
  readonly hasNetworkFaults: boolean
  readonly hasClockFaults: boolean
  readonly hasSlowDisks: boolean
}

export async function shrinkPlan(plan: Plan, options: ShrinkOptions): Promise<Plan> {
  const fewer = await withFewerParts(plan, options)
  return await withSmallerFaults(fewer, options)
}

async function withFewerParts(plan: Plan, options: ShrinkOptions): Promise<Plan> {
  const arbitrary = fc.record({
    faults: partOf(plan.faults),
    rare: partOf(Object.keys(plan.rare)),
    load: fc.record(mapped(plan.load ?? {}, (count) => fc.integer({ min: 0, max: count }))),
    safetyMs: fc.integer({ min: 1, max: plan.safetyMs }),
    hasNetworkFaults: fc.boolean(),
    hasClockFaults: fc.boolean(),
    hasSlowDisks: fc.boolean(),
  })
  const all: Kept = {
    faults: plan.faults,
    rare: Object.keys(plan.rare),
    load: plan.load ?? {},
    safetyMs: plan.safetyMs,
    ...{ hasNetworkFaults: true, hasClockFaults: true, hasSlowDisks: true },
  }
  const kept = await smallest(arbitrary, all, (part) => options.fails(reduced(plan, part)), options)
  return reduced(plan, kept)
}

/** Any items in their order; shrinks by leaving items out. */
function partOf<T>(items: readonly T[]): fc.Arbitrary<readonly T[]> {
  return items.length === 0 ? fc.constant([]) : fc.array(fc.noShrink(fc.constantFrom(...items)))
}

function reduced(plan: Plan, kept: Kept): Plan {
  const rare = Object.entries(plan.rare).filter(([point]) => kept.rare.includes(point))
  return {
    ...plan,
    faults: kept.faults,
    rare: Object.fromEntries(rare),
    ...(plan.load && { load: kept.load }),
    safetyMs: kept.safetyMs,
    network: kept.hasNetworkFaults ? plan.network : quietNetwork,
    hosts: plan.hosts.map(({ name, clock, disk }) => ({
      name,
      clock: kept.hasClockFaults ? clock : {},
      disk: kept.hasSlowDisks ? disk : {},
    })),
  }
}

function mapped<T, R>(
  record: Readonly<Record<string, T>>,
  map: (value: T) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

/** Durations, counts and times of the faults. */
async function withSmallerFaults(plan: Plan, options: ShrinkOptions): Promise<Plan> {
  const numbers = plan.faults.map(numbersOf)
  const arbitrary = fc.tuple(
    ...numbers.map((ofFault) =>
      fc.tuple(...ofFault.map(({ value }) => fc.integer({ min: 0, max: Math.max(0, value) }))),
    ),
  )
  const withNumbers = (values: readonly (readonly number[])[]): Plan => ({
    ...plan,
    faults: plan.faults.map((fault, at) => replaced(fault, numbers[at]!, values[at]!)),
  })
  const start = numbers.map((ofFault) => ofFault.map(({ value }) => value))
  const fails = (values: readonly (readonly number[])[]) => options.fails(withNumbers(values))
  return withNumbers(await smallest(arbitrary, start as never, fails, options))
}

interface FaultNumber {
  readonly key: string
  readonly value: number
}

function numbersOf(fault: Fault): FaultNumber[] {
  return Object.entries(fault).flatMap(([key, value]) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 ? [{ key, value }] : [],
  )
}

function replaced(fault: Fault, numbers: readonly FaultNumber[], values: readonly number[]): Fault {
  const changed = numbers.map(({ key }, at) => [key, values[at]!])
  return { ...fault, ...Object.fromEntries(changed) }
}

/** The smallest value that fast-check finds from `start` on, which fails. */
async function smallest<T>(
  arbitrary: fc.Arbitrary<T>,
  start: T,
  fails: (value: T) => Promise<boolean>,
  { stepMs }: ShrinkOptions,
): Promise<T> {
  const property = fc.asyncProperty(arbitrary, async (value) => !(await fails(value)))
  const found = await fc.check(property, {
    ...{ examples: [[start]], numRuns: 1, seed: 1 },
    ...{ interruptAfterTimeLimit: stepMs, markInterruptAsFailure: false },
  })
  return found.counterexample?.[0] ?? start
}
