// The table of interceptor types. A new type is added here and nowhere else.

import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { ComponentType } from '../componentTypes.ts'
import type { ComponentConfiguration } from '../configuration/flumeConfiguration.ts'
import { readOptions } from '../configuration/options.ts'
import type { HostIdentity } from '../hostIdentity.ts'
import { hostInterceptor, hostInterceptorOptions } from './hostInterceptor.ts'
import type { Interceptor } from './interceptor.ts'
import { timestampInterceptor, timestampInterceptorOptions } from './timestampInterceptor.ts'

interface InterceptorDependencies {
  readonly clock: Clock
  readonly host: HostIdentity
}

export interface InterceptorType extends ComponentType {
  make(component: ComponentConfiguration, dependencies: InterceptorDependencies): Interceptor
}

const timestamp: InterceptorType = {
  alias: 'timestamp',
  className: 'org.apache.flume.interceptor.TimestampInterceptor$Builder',
  options: timestampInterceptorOptions,
  make(component, { clock }) {
    return timestampInterceptor(readOptions(timestampInterceptorOptions, component), clock)
  },
}

const host: InterceptorType = {
  alias: 'host',
  className: 'org.apache.flume.interceptor.HostInterceptor$Builder',
  options: hostInterceptorOptions,
  make(component, { host }) {
    return hostInterceptor(readOptions(hostInterceptorOptions, component), host)
  },
}

export const interceptorTypes: readonly InterceptorType[] = [timestamp, host]
