// Flume's host interceptor: adds a header with the address or the name of the agent's host.

import type { OptionTable, OptionValues } from '../configuration/options.ts'
import type { HostIdentity } from '../hostIdentity.ts'
import { type Interceptor, withHeader } from './interceptor.ts'

export const hostInterceptorOptions = {
  hostHeader: { type: 'string', default: 'host', doc: 'Name of the header to set.' },
  useIP: {
    type: 'boolean',
    default: true,
    doc: 'Whether the value is the IP address of the host instead of its fully qualified name.',
  },
  preserveExisting: {
    type: 'boolean',
    default: false,
    doc: 'Whether an event that already has the header keeps its value.',
  },
} as const satisfies OptionTable

export function hostInterceptor(
  options: OptionValues<typeof hostInterceptorOptions>,
  host: HostIdentity,
): Interceptor {
  const value = options.useIP ? host.address : host.fullName
  return (batch) => withHeader(batch, options.hostHeader, value, options.preserveExisting)
}
