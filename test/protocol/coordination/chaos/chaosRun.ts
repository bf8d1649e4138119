// One chaos run: three nats-servers in network namespaces, members in this process and in processes
// of their own, and a nemesis; then everything is healed, all members must agree, and the history
// is judged. Needs root, `ip` and a current nats-server.

import { seededRandom, systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemClock as clock, sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { NatsBinary } from '../../../peers/natsBinary.ts'
import { NatsServers } from '../../../peers/natsServers.ts'
import { CuttableProxy } from '../log/nats/cuttableProxy.ts'
import { type ChaosMemberPlan, openChaosCoordination } from './chaosCoordination.ts'
import { type MemberState, nowUs } from './chaosEvents.ts'
import { ChaosHistory } from './chaosHistory.ts'
import { ChaosMember, chaosPaths, lockNames } from './chaosMember.ts'
import { ChildMember } from './childMember.ts'
import { judge } from './judgement.ts'
import { LogAuditor } from './logAuditor.ts'
import { Nemesis } from './nemesis.ts'

export interface ChaosOptions {
  readonly binary: NatsBinary
  readonly durationMs: number
  readonly seed: number
}

export interface ChaosResult {
  readonly problems: readonly string[]
  /** For the message of a failed test. */
  readonly timeline: readonly string[]
  readonly figures: ChaosFigures
}

type ChaosFigures = ReturnType<typeof figuresOf>

/** Of requests; unknown outcomes are frequent if it is shorter than an election. */
const shortTimeoutMs = 1000
const servers = 3
/** Everything is healed and everyone reaches the servers: far more than an election takes. */
const convergenceMs = 60_000
const pollMs = 250
/** A gap between two entries that counts as a pause of changes. */
const pauseMs = 1500

/** Of MILLRACE_SEED, or a new one. */
export function chaosSeed(): number {
  const { MILLRACE_SEED } = process.env
  return MILLRACE_SEED === undefined ? systemRandom().below(2 ** 31) : Number(MILLRACE_SEED)
}

interface Run {
  readonly history: ChaosHistory
  readonly auditor: LogAuditor
  readonly local: readonly ChaosMember[]
  readonly children: readonly ChildMember[]
  readonly proxied: readonly ProxiedMember[]
  readonly nemesis: Nemesis
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { binary } = options
  const nats = await NatsServers.start({
    ...{ binary, count: servers, isolation: 'namespaces' },
    // Members behind a proxy must not learn of addresses that go around it.
    isAdvertised: false,
  })
  try {
    return await runOn(nats, options)
  } finally {
    await nats.close()
  }
}

async function runOn(nats: NatsServers, options: ChaosOptions): Promise<ChaosResult> {
  const run = await begin(nats, options)
  const { nemesis, history, auditor, children } = run
  try {
    nemesis.start()
    await sleep(clock, options.durationMs)
    await nemesis.heal()
    const problems = await converge(run)
    const judgement = judge(history, auditor)
    return {
      problems: [...problems, ...judgement.problems],
      timeline: nemesis.timeline,
      figures: figuresOf(run, judgement),
    }
  } finally {
    for (const member of run.local) await member.close()
    for (const child of children) await child.kill()
    for (const member of run.proxied) await member.close()
    await auditor.close()
  }
}

/** The proxies of a member, one for each server: all are cut together. */
class ProxiedMember {
  readonly name: string
  readonly #proxies: readonly CuttableProxy[]

  static async start(name: string, addresses: readonly string[]): Promise<ProxiedMember> {
    return new ProxiedMember(name, await Promise.all(addresses.map(CuttableProxy.start)))
  }

  private constructor(name: string, proxies: readonly CuttableProxy[]) {
    this.name = name
    this.#proxies = proxies
  }

  get addresses(): readonly string[] {
    return this.#proxies.map(({ address }) => address)
  }

  setCut(isCut: boolean): void {
    for (const proxy of this.#proxies) proxy.setCut(isCut)
  }

  async close(): Promise<void> {
    for (const proxy of this.#proxies) await proxy.close()
  }
}

async function begin(nats: NatsServers, { seed }: ChaosOptions): Promise<Run> {
  const history = new ChaosHistory()
  const auditor = await LogAuditor.open(nats.addresses, servers)
  const startedAt = nowUs()
  const plan = (name: string, index: number): ChaosMemberPlan => ({
    ...{ name, servers: nats.addresses, seed: seed + index * 1000, startedAt },
    ...(index % 2 === 0 ? {} : { requestTimeoutMs: shortTimeoutMs }),
  })
  const local: ChaosMember[] = []
  const proxied: ProxiedMember[] = []
  for (const [index, name] of ['local-0', 'local-1', 'local-2'].entries()) {
    const proxies = index === 0 ? undefined : await ProxiedMember.start(name, nats.addresses)
    if (proxies !== undefined) proxied.push(proxies)
    const own = { ...plan(name, index), ...(proxies && { servers: proxies.addresses }) }
    const coordination = await openChaosCoordination(own, history.record)
    if (index === 0) {
      const { registers, fenced } = chaosPaths
      const paths = [registers, fenced, ...lockNames.map((lock) => `${fenced}/${lock}`)]
      const data = Buffer.from('-1')
      const nodes = paths.map((path) => ({ type: 'create' as const, path, data }))
      await coordination.transact(nodes)
    }
    local.push(new ChaosMember(own, coordination, history.record))
  }
  const children = ['process-0', 'process-1'].map(
    (name, at) => new ChildMember(plan(name, local.length + at), history.record),
  )
  await Promise.all(children.map((child) => child.start()))
  const random = seededRandom(seed)
  const nemesis = new Nemesis({
    ...{ servers: nats, children, cuttable: proxied, random },
    leader: () => auditor.leader(),
    holders: () => history.holders,
  })
  return { history, auditor, local, children, proxied, nemesis }
}

/** Ends the load and waits until all members have the same state. Returns what is missing. */
async function converge({ local, children, auditor }: Run): Promise<string[]> {
  const untilMs = clock.monotonicMs() + convergenceMs
  const members = [...local, ...children]
  const finishing = Promise.all(members.map((member) => member.finish()))
  const isFinished = await within(untilMs, finishing)
  if (isFinished === undefined) return [`some calls were not answered in ${convergenceMs} ms`]
  const names = [...local.map((member) => member.state().name), ...children.map(({ name }) => name)]
  let states: readonly MemberState[] = []
  while (clock.monotonicMs() < untilMs) {
    const asked = Promise.all(members.map(async (member) => member.state()))
    states = (await within(untilMs, asked)) ?? states
    const isAgreed = haveConverged(states, names) && auditor.tree === states[0]!.tree
    if (isAgreed) return crashesOf(children)
    await sleep(clock, pollMs)
  }
  const seen = states.map((state) => JSON.stringify(state)).join('\n')
  return [`no convergence in ${convergenceMs} ms:\n${seen}`, ...crashesOf(children)]
}

function crashesOf(children: readonly ChildMember[]): string[] {
  return children.flatMap(({ crashes }) => crashes)
}

function haveConverged(states: readonly MemberState[], names: readonly string[]): boolean {
  const leaders = states.flatMap(({ leads }) => leads ?? [])
  const expected = names.toSorted().join()
  const isAgreed = (state: MemberState) =>
    state.status === 'connected' &&
    state.isRegistered &&
    state.registered.toSorted().join() === expected &&
    state.pendingRequests === 0 &&
    state.sees === leaders[0] &&
    state.tree === states[0]!.tree
  return leaders.length === 1 && states.every(isAgreed)
}

async function within<T>(untilMs: number, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController()
  const late = sleep(clock, untilMs - clock.monotonicMs(), over.signal).then(() => undefined)
  try {
    return await Promise.race([promise, late])
  } finally {
    over.abort()
  }
}

function figuresOf(run: Run, { unknown }: ReturnType<typeof judge>) {
  const { history, auditor, nemesis } = run
  const { calls, tenures, observations, statuses, logs } = history
  const held = [...tenures.values()].filter((tenure) => tenure.held !== undefined)
  const elections = held.filter(({ queue }) => queue === chaosPaths.election).length
  const gaps = auditor.entries.map(
    ({ wallMs }, at) => wallMs - (auditor.entries[at - 1]?.wallMs ?? wallMs),
  )
  const answersMs = [...calls.values()].map(({ calledAt, returnedAt }) => {
    return returnedAt === Number.POSITIVE_INFINITY ? 0 : (returnedAt - calledAt) / 1000
  })
  return {
    operations: calls.size,
    entries: auditor.entries.length,
    ...{ elections, locks: held.length - elections, observations: observations.length },
    ...nemesis.counts,
    pauses: gaps.filter((gap) => gap >= pauseMs).length,
    longestPauseMs: Math.max(...gaps),
    longestAnswerMs: Math.round(Math.max(...answersMs)),
    suspended: statuses.filter(({ status }) => status === 'suspended').length,
    expiredSessions: auditor.expiries.length,
    warnings: logs.length,
    unknown,
  }
}
