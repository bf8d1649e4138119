// Joins two streams batch by batch, like Spark's DStreams: correct for rows in the same batch, for
// example because one service writes both. See clicksToPurchases.ts for a join over time.

import { csv, job } from 'millrace/engine'
import { columns } from './shopLog.ts'

export default job('clicked-and-bought', (stream) => {
  const actions = stream.fromTopic('actions', csv(columns))
  const of = (code: string) =>
    actions
      .filter(({ action }) => action === code)
      .map(({ user, item }) => [`${user}/${item}`, 1] as const)
      .reduceByKey((left, right) => left + right)
  of('0').join(of('2')).count().view('pairs')
})
