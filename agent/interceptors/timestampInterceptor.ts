// Flume's timestamp interceptor: the header `timestamp` with the time at which the agent had the
// event, in milliseconds since the epoch.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import { type Interceptor, withHeader } from './interceptor.ts'

export const timestampInterceptorOptions = {
  headerName: { type: 'string', default: 'timestamp', doc: 'the header to set' },
  preserveExisting: { type: 'boolean', default: false, doc: 'keep a header that is there' },
} as const satisfies OptionTable

export function timestampInterceptor(
  options: OptionValues<typeof timestampInterceptorOptions>,
  clock: Clock,
): Interceptor {
  return (batch) =>
    withHeader(batch, options.headerName, String(clock.nowMs()), options.preserveExisting)
}
