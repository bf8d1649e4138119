// What a job module imports, as 'millrace/engine': the words in which jobs are written, and nothing
// that runs them.

export type { Key } from './rdd/key.ts'
export type { Pair } from './rdd/lineage.ts'
export type { Rdd } from './rdd/rdd.ts'
export { type AvroOptions, type AvroSchema, avro } from './rows/avro.ts'
export { bytes } from './rows/bytes.ts'
export { type CsvColumns, type CsvOptions, type CsvRow, csv } from './rows/csv.ts'
export {
  type Envelope,
  type EnvelopeOptions,
  envelope,
  type PlainEnvelope,
} from './rows/envelope.ts'
export { json } from './rows/json.ts'
export type { RowFormat } from './rows/rowFormat.ts'
export { type TextRow, text } from './rows/text.ts'
export type { OnRecordError } from './sources/scan.ts'
export type { RecordFields, SourceHeader, SourceRecord } from './sources/sourceRecord.ts'
export type { StartAt, TimePosition, TopicOptions } from './sources/topicOptions.ts'
export type { StorableState } from './state/storedValue.ts'
export { add, seconds, subtract, sum } from './stream/arithmetic.ts'
export type { DStream, ReduceWindowOptions } from './stream/dstream.ts'
export { type Job, type JobOptions, type JobStream, job } from './stream/job.ts'
export type { ViewNumber, ViewOptions, ViewValue } from './stream/view.ts'
