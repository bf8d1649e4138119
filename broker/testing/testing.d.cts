// Types of 'millrace/testing' for CommonJS: all of its types, and the one function that starts a broker.

import type { TestBroker, TestBrokerOptions } from './testing.ts' with {
  'resolution-mode': 'import',
}

export type * from './testing.ts' with { 'resolution-mode': 'import' }
/** As the function of the same name for ES modules. */
export declare function startBroker(options?: TestBrokerOptions): Promise<TestBroker>
