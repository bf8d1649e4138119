// What a job module imports, as 'millrace/engine': the words in which jobs are written, and nothing
// that runs them.

export type { Key } from './rdd/key.ts'
export type { Pair } from './rdd/lineage.ts'
export type { Rdd } from './rdd/rdd.ts'
export { type CsvColumns, type CsvOptions, type CsvRow, csv } from './rows/csv.ts'
export { json } from './rows/json.ts'
export type { RowFormat } from './rows/rowFormat.ts'
export { type TextRow, text } from './rows/text.ts'
export type { StorableState } from './state/storedValue.ts'
export { add, seconds, subtract, sum } from './stream/arithmetic.ts'
export type { DStream, ReduceWindowOptions } from './stream/dstream.ts'
export { type Job, type JobOptions, type JobStream, job } from './stream/job.ts'
export type { ViewNumber, ViewOptions, ViewValue } from './stream/view.ts'
