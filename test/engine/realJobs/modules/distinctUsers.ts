// Counts the distinct users of a shop, and the distinct buyers of each item. A user is counted when
// first seen, so that a batch costs its rows and not all users so far; the buyers of an item are
// few enough to be stored in one set.

import { add, csv, job, sum } from 'millrace/engine'
import { columns } from './shopLog.ts'

export default job('distinct-users', (stream) => {
  const actions = stream.fromTopic('actions', csv(columns))
  actions
    .map(({ user }) => [user, true] as const)
    .mapWithState<string, boolean, boolean, number>(
      (_user, _seen, state) => {
        if (state.exists()) return undefined
        state.update(true)
        return 1
      },
      { uid: 'users' },
    )
    .map((one) => ['users', one] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'user-count' })
    .view('users', { title: 'Different users' })
  actions
    .filter(({ action }) => action === '2')
    .map(({ item, user }) => [item, user] as const)
    .updateStateByKey(
      (users: readonly string[], buyers: Set<string> = new Set()) => new Set([...buyers, ...users]),
      { uid: 'buyers' },
    )
    .view('buyers', { title: 'Different buyers of an item', value: (buyers) => buyers.size })
})
