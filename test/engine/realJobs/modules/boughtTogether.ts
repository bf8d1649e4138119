// Recommends items that the same people buy: for each pair of items, counts the users who bought
// both. The items of a user are a state that is read only when the user buys; each new item forms a
// pair with each earlier one.

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
