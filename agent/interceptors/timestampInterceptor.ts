// Flume's timestamp interceptor: adds a header with the time at which the source handed the event
// to its channels, in ms since the epoch.

import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { OptionTable, OptionValues } from '../configuration/options.ts'
import { type Interceptor, withHeader } from './interceptor.ts'

export const timestampInterceptorOptions = {
  headerName: { type: 'string', default: 'timestamp', doc: 'Name of the header to set.' },
  preserveExisting: {
    type: 'boolean',
    default: false,
    doc: 'Whether an event that already has the header keeps its value.',
  },
} as const satisfies OptionTable

export function timestampInterceptor(
  options: OptionValues<typeof timestampInterceptorOptions>,
  clock: Clock,
): Interceptor {
  return (batch) =>
    withHeader(batch, options.headerName, String(clock.nowMs()), options.preserveExisting)
}
