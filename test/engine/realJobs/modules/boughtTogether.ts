// Recommends by what the same people buy: counts for each pair of items the users who have bought
// both. The items of a user are a state that is looked at only when the user buys; each new item
// makes a pair with each item that was there before.

import { add, csv, job, sum } from 'millrace/engine'
import { columns } from './shopLog.ts'

export default job('bought-together', (stream) => {
  stream
    .fromTopic('actions', csv(columns))
    .filter(({ action }) => action === '2')
    .map(({ user, item }) => [user, item] as const)
    .mapWithState<string, string, string[], string[]>(
      (_user, item, state) => {
        const items = state.get() ?? []
        if (item === undefined || items.includes(item)) return undefined
        state.update([...items, item])
        return items.map((other) => (item < other ? `${item}+${other}` : `${other}+${item}`))
      },
      { uid: 'items' },
    )
    .flatMap((pairs) => pairs.map((pair) => [pair, 1] as const))
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'pairs' })
    .view('pairs', { title: 'Bought together' })
})
