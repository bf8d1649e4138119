// Joins the purchases of a shop with a table: a small file that each worker reads when it loads the
// module. Codes missing from the table count as unknown.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { add, csv, job, sum } from 'millrace/engine'
import { columns } from './shopLog.ts'

const ageGroups = new Map(
  readFileSync(join(import.meta.dirname, 'ageGroups.csv'), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',') as [code: string, name: string]),
)

export default job('purchases-by-age', (stream) => {
  stream
    .fromTopic('actions', csv(columns))
    .filter((row) => row.action === '2')
    .map((row) => [ageGroups.get(row.age ?? '') ?? 'unknown', 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'purchases' })
    .view('purchases', { title: 'Purchases by age', chart: 'bar' })
})
