// A register with read, write and compare-and-set, by key: the object of most linearizability
// tests.

import type { Model } from './linearizable.ts'

export type RegisterInput = { readonly key?: string } & (
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'cas'; readonly from: number; readonly to: number }
)

/** What a read returned; whether a write or a compare-and-set took effect. */
export type RegisterOutput = number | boolean

export const registerModel: Model<number, RegisterInput, RegisterOutput> = {
  init: () => 0,
  partition: ({ key }) => key ?? '',
  step(state, input, output) {
    switch (input.kind) {
      case 'read':
        return output === undefined || output === state ? { state } : undefined
      case 'write':
        return output === false ? undefined : { state: input.value }
      case 'cas': {
        const isEqual = state === input.from
        if (output !== undefined && output !== isEqual) return undefined
        return { state: isEqual ? input.to : state }
      }
    }
  },
}
