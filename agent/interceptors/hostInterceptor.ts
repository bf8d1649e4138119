// Flume's host interceptor: a header with the address, or the name, of the host that the agent runs
// on.

import type { OptionTable, OptionValues } from '../configuration/options.ts'
import type { HostIdentity } from '../hostIdentity.ts'
import { type Interceptor, withHeader } from './interceptor.ts'

export const hostInterceptorOptions = {
  hostHeader: { type: 'string', default: 'host', doc: 'the header to set' },
  useIP: {
    type: 'boolean',
    default: true,
    doc: "the host's address; its fully qualified name when false",
  },
  preserveExisting: { type: 'boolean', default: false, doc: 'keep a header that is there' },
} as const satisfies OptionTable

export function hostInterceptor(
  options: OptionValues<typeof hostInterceptorOptions>,
  host: HostIdentity,
): Interceptor {
  const value = options.useIP ? host.address : host.fullName
  return (batch) => withHeader(batch, options.hostHeader, value, options.preserveExisting)
}
