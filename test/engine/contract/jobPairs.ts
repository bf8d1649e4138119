// Pairs of job versions, with the expected outcome of each: the job continues and its views match
// plain code, or the job is refused with certain words. Lines are `user action amount`.

import {
  add,
  type DStream,
  type Job,
  job,
  type StateCodec,
  subtract,
  sum,
} from '../../../engine/engine.ts'
import { StreamHarness } from '../stream/streamHarness.ts'

export interface Visit {
  readonly user: string
  readonly action: string
  readonly amount: number
}

/** One line, with the version of the job and the batch, from 0, that processed it. */
export interface PlainVisit extends Visit {
  readonly version: 1 | 2
  readonly batch: number
}

export type Rows = Readonly<Record<string, number>>
export type Views = Readonly<Record<string, Rows>>

export interface JobPair {
  readonly what: string
  readonly before: Job
  readonly after: Job
  /** Texts that the refusal contains. */
  readonly refused?: readonly string[]
  /** Uids of a job that continues: those that start empty, are no longer used, or move. */
  readonly added?: readonly string[]
  readonly removed?: readonly string[]
  readonly moved?: readonly { readonly from: string; readonly to: string }[]
  /** Returns the views after the newest batch, computed by plain code. */
  readonly plain?: (visits: readonly PlainVisit[], batch: number) => Views
}

type Build = (visits: DStream<Visit>, more: (topic: string) => DStream<Visit>) => void
type Counted = readonly [key: string, amount: number]

function version(build: Build, topics: readonly string[] = ['lines']): Job {
  return job('visits', (stream) => {
    const from = (topic: string) => stream.fromTopic(topic, StreamHarness.lines).map(visitOf)
    const [first, ...others] = topics.map(from)
    build(first!.union(...others), from)
  })
}

export function visitOf(line: string): Visit {
  const [user, action, amount] = line.split(' ')
  return { user: user!, action: action!, amount: Number(amount) }
}

const byUser = ({ user }: Visit): Counted => [user, 1]
const byAction = ({ action }: Visit): Counted => [action, 1]
const byAmount = ({ amount }: Visit): Counted => [String(amount), 1]
const isBuy = ({ action }: Visit) => action === 'buy'
const isView = ({ action }: Visit) => action === 'view'
const larger = (values: readonly number[], state: number | undefined) =>
  Math.max(state ?? 0, ...values)

/** Counts under a uid, or without a uid, and shows the counts as the view of the same name. */
function counts(visits: DStream<Visit>, view: string, of: (visit: Visit) => Counted, uid?: string) {
  visits
    .map(of)
    .updateStateByKey(add, uid === undefined ? {} : { uid })
    .view(view)
}

function window(visits: DStream<Visit>, windowMs: number, uid?: string): void {
  visits
    .map(byUser)
    .reduceByKeyAndWindow(sum, windowMs, 1000, {
      inverse: subtract,
      ...(uid === undefined ? {} : { uid }),
    })
    .view('window')
}

function sessions(visits: DStream<Visit>, gapMs: number): void {
  visits
    .withWatermark(({ amount }) => amount * 1000, { delayMs: 1000 })
    .keyBy(({ user }) => user)
    .sessions(gapMs)
    .count({ uid: 'sessions' })
    .foreachRDD(() => {})
}

function tally(
  visits: readonly PlainVisit[],
  of: (visit: PlainVisit) => Counted | undefined,
): Rows {
  const rows: Record<string, number> = {}
  for (const visit of visits) {
    const [key, amount] = of(visit) ?? []
    if (key !== undefined) rows[key] = (rows[key] ?? 0) + amount!
  }
  return rows
}

const second = ({ version: of }: PlainVisit) => of === 2
const json: StateCodec<number> = {
  name: 'json',
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
}

export const jobPairs: readonly JobPair[] = [
  {
    what: 'the filter before a window with an inverse changed',
    before: version((visits) => window(visits.filter(isBuy), 3000, 'clicks')),
    after: version((visits) => window(visits.filter(isView), 3000, 'clicks')),
    plain: (visits, batch) => ({
      window: tally(visits, (visit) => {
        const isCounted = visit.version === 1 ? isBuy(visit) : isView(visit)
        return visit.batch > batch - 3 && isCounted ? byUser(visit) : undefined
      }),
    }),
  },
  {
    what: 'an operator inserted before two operators without uids',
    before: version((visits) => {
      counts(visits, 'users', byUser)
      counts(visits, 'actions', byAction)
    }),
    after: version((visits) => {
      counts(visits, 'amounts', byAmount)
      counts(visits, 'users', byUser)
      counts(visits, 'actions', byAction)
    }),
    refused: ["uid: 'updateStateByKey-0' and uid: 'updateStateByKey-1'"],
  },
  {
    what: 'an operator inserted before two operators with uids',
    before: version((visits) => {
      counts(visits, 'users', byUser, 'users')
      counts(visits, 'actions', byAction, 'actions')
    }),
    after: version((visits) => {
      counts(visits, 'amounts', byAmount, 'amounts')
      counts(visits, 'users', byUser, 'users')
      counts(visits, 'actions', byAction, 'actions')
    }),
    added: ['amounts'],
    plain: (visits) => ({
      users: tally(visits, byUser),
      actions: tally(visits, byAction),
      amounts: tally(visits.filter(second), byAmount),
    }),
  },
  {
    what: 'operators with uids in another order',
    before: version((visits) => {
      counts(visits, 'users', byUser, 'users')
      counts(visits, 'actions', byAction, 'actions')
    }),
    after: version((visits) => {
      counts(visits, 'actions', byAction, 'actions')
      counts(visits, 'users', byUser, 'users')
    }),
    plain: (visits) => ({ users: tally(visits, byUser), actions: tally(visits, byAction) }),
  },
  {
    what: 'operators without uids in another order',
    before: version((visits) => {
      counts(visits, 'users', byUser)
      counts(visits, 'actions', byAction)
    }),
    after: version((visits) => {
      counts(visits, 'actions', byAction)
      counts(visits, 'users', byUser)
    }),
    refused: ['the code has 2 operators updateStateByKey without a uid'],
  },
  {
    what: 'the uids of two operators of one kind swapped: the uids in the job decide',
    before: version((visits) => {
      counts(visits, 'users', byUser, 'one')
      counts(visits, 'actions', byAction, 'other')
    }),
    after: version((visits) => {
      counts(visits, 'users', byUser, 'other')
      counts(visits, 'actions', byAction, 'one')
    }),
    plain: (visits) => ({
      users: tally(visits, (visit) => (second(visit) ? byUser(visit) : byAction(visit))),
      actions: tally(visits, (visit) => (second(visit) ? byAction(visit) : byUser(visit))),
    }),
  },
  {
    what: 'the key changed: earlier keys stay, and their counts do not change any more',
    before: version((visits) => counts(visits, 'totals', byUser, 'totals')),
    after: version((visits) =>
      counts(visits, 'totals', ({ user }) => [user.toUpperCase(), 1], 'totals'),
    ),
    plain: (visits) => ({
      totals: tally(visits, ({ user, version: of }) => [of === 2 ? user.toUpperCase() : user, 1]),
    }),
  },
  {
    what: 'the function of a state changed: it continues from the existing state',
    before: version((visits) => counts(visits, 'totals', byUser, 'totals')),
    after: version((visits) => {
      visits
        .map(({ user, amount }) => [user, amount] as const)
        .updateStateByKey(larger, { uid: 'totals' })
        .view('totals')
    }),
    plain: (visits) => {
      const totals: Record<string, number> = {
        ...tally(visits, (visit) => (second(visit) ? undefined : byUser(visit))),
      }
      for (const { user, amount } of visits.filter(second)) {
        totals[user] = Math.max(totals[user] ?? 0, amount)
      }
      return { totals }
    },
  },
  {
    what: 'the function of a state changed, and the version with it',
    before: version((visits) => counts(visits, 'totals', byUser, 'totals')),
    after: version((visits) => {
      visits.map(byUser).updateStateByKey(larger, { uid: 'totals', version: 1 }).view('totals')
    }),
    refused: ["operator 'totals' had the shape none, and has 'version 1' now", 'another uid'],
  },
  {
    what: 'a window of another length',
    before: version((visits) => window(visits, 3000, 'clicks')),
    after: version((visits) => window(visits, 5000, 'clicks')),
    refused: ["operator 'clicks' had the shape 'window 3000 1000', and has 'window 5000 1000' now"],
  },
  {
    what: 'a window of another length with another uid',
    before: version((visits) => window(visits, 3000, 'clicks3')),
    after: version((visits) => window(visits, 5000, 'clicks5')),
    added: ['clicks5'],
    removed: ['clicks3'],
    plain: (visits, batch) => ({
      window: tally(
        visits.filter((visit) => second(visit) && visit.batch > batch - 5),
        byUser,
      ),
    }),
  },
  {
    what: 'sessions with another gap',
    before: version((visits) => sessions(visits, 2000)),
    after: version((visits) => sessions(visits, 3000)),
    refused: ["operator 'sessions' had the shape 'gap 2000", "and has 'gap 3000"],
  },
  {
    what: 'another codec',
    before: version((visits) => counts(visits, 'totals', byUser, 'totals')),
    after: version((visits) => {
      visits.map(byUser).updateStateByKey(add, { uid: 'totals', codec: json }).view('totals')
    }),
    refused: ["operator 'totals' had the codec 'v8', and has 'json' now"],
  },
  {
    what: 'another operator under the same uid',
    before: version((visits) => counts(visits, 'totals', byUser, 'totals')),
    after: version((visits) => {
      visits
        .map(byUser)
        .mapWithState<string, number, number, never>(
          (_key, value, state) => void state.update((state.get() ?? 0) + (value ?? 0)),
          { uid: 'totals' },
        )
        .stateSnapshots()
        .view('totals')
    }),
    refused: ["operator 'totals' had the kind 'updateStateByKey', and has 'mapWithState' now"],
  },
  {
    what: 'a topic added',
    before: version((visits) => counts(visits, 'users', byUser, 'users')),
    after: version((visits) => counts(visits, 'users', byUser, 'users'), ['lines', 'more']),
    plain: (visits) => ({ users: tally(visits, byUser) }),
  },
  {
    what: 'a topic removed',
    before: version((visits) => counts(visits, 'users', byUser, 'users'), ['lines', 'more']),
    after: version((visits) => counts(visits, 'users', byUser, 'users')),
    plain: (visits) => ({ users: tally(visits, byUser) }),
  },
  {
    what: 'a helper changed that the only operator without a uid uses',
    before: version((visits) => counts(visits, 'totals', byUser)),
    after: version((visits) => counts(visits, 'totals', ({ user }) => [user, 10])),
    plain: (visits) => ({
      totals: tally(visits, ({ user, version: of }) => [user, of === 2 ? 10 : 1]),
    }),
  },
  {
    what: 'a helper changed that two operators without uids use',
    before: version((visits) => {
      counts(visits, 'users', byUser)
      counts(visits, 'actions', byAction)
    }),
    after: version((visits) => {
      counts(visits.filter(isBuy), 'users', byUser)
      counts(visits.filter(isBuy), 'actions', byAction)
    }),
    refused: ["Write uid: 'updateStateByKey-0' and uid: 'updateStateByKey-1'"],
  },
  {
    what: 'an operator of another kind inserted before the only one without a uid',
    before: version((visits) => counts(visits, 'users', byUser)),
    after: version((visits) => {
      window(visits, 3000, 'clicks')
      counts(visits, 'users', byUser)
    }),
    added: ['clicks'],
    moved: [{ from: 'updateStateByKey-0', to: 'updateStateByKey-1' }],
    plain: (visits, batch) => ({
      users: tally(visits, byUser),
      window: tally(
        visits.filter((visit) => second(visit) && visit.batch > batch - 3),
        byUser,
      ),
    }),
  },
  {
    what: 'a named operator of the same kind beside the only one without a uid',
    before: version((visits) => counts(visits, 'users', byUser)),
    after: version((visits) => {
      counts(visits, 'actions', byAction, 'actions')
      counts(visits, 'users', byUser)
    }),
    refused: ["'actions' and one without a uid", "Write uid: 'updateStateByKey-0'"],
  },
  {
    what: 'two operators of different kinds without uids in another order',
    before: version((visits) => {
      window(visits, 3000)
      counts(visits, 'users', byUser)
    }),
    after: version((visits) => {
      counts(visits, 'users', byUser)
      window(visits, 3000)
    }),
    moved: [
      { from: 'reduceByKeyAndWindow-0', to: 'reduceByKeyAndWindow-1' },
      { from: 'updateStateByKey-1', to: 'updateStateByKey-0' },
    ],
    plain: (visits, batch) => ({
      users: tally(visits, byUser),
      window: tally(
        visits.filter((visit) => visit.batch > batch - 3),
        byUser,
      ),
    }),
  },
  {
    what: 'uids written as a refusal advises, with an operator added before them',
    before: version((visits) => {
      counts(visits, 'users', byUser)
      counts(visits, 'actions', byAction)
    }),
    after: version((visits) => {
      counts(visits, 'amounts', byAmount, 'amounts')
      counts(visits, 'users', byUser, 'updateStateByKey-0')
      counts(visits, 'actions', byAction, 'updateStateByKey-1')
    }),
    added: ['amounts'],
    plain: (visits) => ({
      users: tally(visits, byUser),
      actions: tally(visits, byAction),
      amounts: tally(visits.filter(second), byAmount),
    }),
  },
  {
    what: 'an operator that gets a uid other than its generated name',
    before: version((visits) => counts(visits, 'users', byUser)),
    after: version((visits) => counts(visits, 'users', byUser, 'users')),
    refused: ["Write uid: 'updateStateByKey-0' on the operator", '--discard-state'],
  },
  {
    what: 'an operator renamed',
    before: version((visits) => counts(visits, 'users', byUser, 'users')),
    after: version((visits) => counts(visits, 'users', byUser, 'people')),
    added: ['people'],
    removed: ['users'],
    plain: (visits) => ({ users: tally(visits.filter(second), byUser) }),
  },
  {
    what: 'an operator removed',
    before: version((visits) => {
      counts(visits, 'users', byUser, 'users')
      counts(visits, 'actions', byAction, 'actions')
    }),
    after: version((visits) => counts(visits, 'actions', byAction, 'actions')),
    removed: ['users'],
    plain: (visits) => ({ actions: tally(visits, byAction) }),
  },
  {
    what: 'a stateless step inserted before a state',
    before: version((visits) => counts(visits, 'users', byUser, 'users')),
    after: version((visits) =>
      counts(
        visits.filter(isBuy).flatMap((visit) => [visit, visit]),
        'users',
        byUser,
        'users',
      ),
    ),
    plain: (visits) => ({
      users: tally(visits, (visit) => {
        if (!second(visit)) return byUser(visit)
        return isBuy(visit) ? [visit.user, 2] : undefined
      }),
    }),
  },
]
