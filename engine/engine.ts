/**
 * The API in which jobs are written. A job is a module whose default export is a `job`; `millrace
 * job submit FILE` runs it, and `millrace/engine/testing` tests it.
 *
 * ```ts
 * import { add, job, sum, text } from 'millrace/engine'
 *
 * export default job('words', (stream) => {
 *   stream
 *     .fromTopic('lines', text())
 *     .flatMap(({ line }) => line.split(' '))
 *     .map((word) => [word, 1] as const)
 *     .reduceByKey(sum)
 *     .updateStateByKey(add, { uid: 'totals' })
 *     .view('totals')
 * })
 * ```
 *
 * Importing this module runs nothing.
 *
 * Unstable: below 1.0, any release may change it.
 *
 * @module engine
 */

export type { Key } from './keys/key.ts'
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
export type { RecordFields, SourceHeader, SourceRecord } from './rows/sourceRecord.ts'
export { type TextRow, text } from './rows/text.ts'
export type { OffsetRange, OnRecordError } from './sources/scan.ts'
export type { StartAt, TimePosition, TopicOptions } from './sources/topicOptions.ts'
export type { TimeDomain } from './state/keyedState.ts'
export type { StateCodec } from './state/stateCodec.ts'
export type { StorableState } from './state/storedValue.ts'
export { add, seconds, subtract, sum } from './stream/arithmetic.ts'
export type { BatchInfo } from './stream/batchHistory.ts'
export type { DStream, ForeachOptions, MappedStream } from './stream/dstream.ts'
export type { EventStream, KeyedEventStream, TransformedStream } from './stream/eventStream.ts'
export type { LateRow, TimedRow, TimeOf, WatermarkOptions } from './stream/eventTime.ts'
export type { EventWindows, WindowedStream } from './stream/eventWindows.ts'
export { type Job, type JobOptions, type JobStream, job } from './stream/job.ts'
export type {
  MapWithStateOptions,
  State,
  StateMapping,
} from './stream/operators/mapWithState.ts'
export type { OperatorOptions } from './stream/operators/statefulContract.ts'
export type {
  EventStateContext,
  EventStatefulProcessor,
  FiredTimer,
  StateContext,
  StatefulProcessor,
  TransformOptions,
} from './stream/operators/transformWithState.ts'
export type { StateUpdate, UpdateStateOptions } from './stream/operators/updateStateByKey.ts'
export type { ViewNumber, ViewOptions, ViewValue } from './stream/view.ts'
export type { ReduceWindowOptions } from './stream/windows/inverseWindow.ts'
export type {
  Aggregation,
  OpenWindow,
  WindowBounds,
  WindowResult,
} from './stream/windows/windowAggregate.ts'
