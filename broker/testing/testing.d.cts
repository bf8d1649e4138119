// Types of 'millrace/testing' for CommonJS: all types, and the function that starts a broker.

import type { TestBroker, TestBrokerOptions } from './testing.ts' with {
  'resolution-mode': 'import',
}

export type * from './testing.ts' with { 'resolution-mode': 'import' }
/** Same as the function of the same name in the ES module. */
export declare function startBroker(options?: TestBrokerOptions): Promise<TestBroker>
