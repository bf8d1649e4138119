// Changes of configurations: the bodies, and their translation into requests to the cluster. The
// changes of one request are atomic.

import { Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import type { ConfigChange, ConfigResource } from '../../../../../protocol/client/adminApi.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'
import { nullable, type ResourceOf } from '../resource.ts'
import { configsOf, unknownConfig } from './config.ts'

const newValue = Type.Optional(nullable(Type.String(), { description: 'The new value, as text.' }))

export const configUpdateSchema = Type.Object({ value: newValue })

export const configBatchSchema = Type.Object({
  data: Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1 }),
      value: newValue,
      operation: Type.Optional(
        nullable(Type.Enum(['SET', 'DELETE']), {
          description: 'Default: SET. DELETE resets to the default.',
        }),
      ),
    }),
    { minItems: 1, maxItems: 1_000 },
  ),
  validate_only: Type.Optional(
    Type.Boolean({ default: false, description: 'Only validate the change.' }),
  ),
})

export function setting(name: string, { value }: ResourceOf<typeof configUpdateSchema>) {
  if (typeof value === 'string') return [{ name, operation: 'set', value }] as const
  throw missingValue(name)
}

export function resetting(name: string) {
  return [{ name, operation: 'delete' }] as const
}

export function batchChanges({ data }: ResourceOf<typeof configBatchSchema>): ConfigChange[] {
  return data.map(({ name, value, operation }) => {
    if (operation === 'DELETE') return { name, operation: 'delete' }
    if (typeof value === 'string') return { name, operation: 'set', value }
    throw missingValue(name)
  })
}

/** Fails with 404 if a changed entry does not exist. */
export async function changeKnownConfigs(
  admin: Admin,
  resource: ConfigResource,
  changes: readonly ConfigChange[],
  validateOnly = false,
): Promise<void> {
  const known = new Set((await configsOf(admin, resource)).map(({ name }) => name))
  const unknown = changes.find(({ name }) => !known.has(name))
  if (unknown !== undefined) throw unknownConfig(resource, unknown.name)
  await changeConfigs(admin, resource, changes, validateOnly)
}

export async function changeConfigs(
  admin: Admin,
  resource: ConfigResource,
  changes: readonly ConfigChange[],
  validateOnly = false,
): Promise<void> {
  const [outcome] = await admin.alterConfigs([{ resource, changes }], { validateOnly })
  const { errorCode, errorMessage } = outcome!
  if (errorCode !== ErrorCode.none) throw kafkaFailure(errorCode, errorMessage ?? resource.name)
}

function missingValue(name: string): RestError {
  return new RestError(
    40002,
    'INVALID_CONFIG',
    `the new value for ${name} is missing`,
    'give a value as a string; to reset to the default, delete the configuration',
  )
}
