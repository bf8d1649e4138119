// Validates requests against their schemas, strictly: an unknown property is an error that suggests
// the nearest name, since a setting that is silently ignored would be taken for one that works.
// Numbers and booleans are text in paths and queries, and have their own types in bodies.

import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { suggestion } from '../../../protocol/configuration/nearestName.ts'
import { RestError } from './restError.ts'

/** The parts of a JSON schema that are used here. */
export interface JsonSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly additionalProperties?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
}

export type RequestPart = 'body' | 'querystring' | 'params' | 'headers'

export interface PartOfRoute {
  readonly schema: TSchema
  readonly httpPart?: string
}

/** Fastify's validator compiler. Compiles at the first request: most schemas are never used. */
export function strictValidator({ schema, httpPart }: PartOfRoute) {
  const part = (httpPart ?? 'body') as RequestPart
  let compiled: Validator | undefined
  return (value: unknown): { value: unknown } | { error: RestError } => {
    compiled ??= Compile(schema)
    const read = part === 'body' ? value : readTexts(schema as JsonSchema, value)
    if (compiled.Check(read)) return { value: read }
    return { error: invalid(part, schema as JsonSchema, compiled.Errors(read)) }
  }
}

/** Validator for bodies that a route reads itself; as strict as for all other bodies. */
export function bodyValidator(schema: TSchema): ReturnType<typeof strictValidator> {
  return strictValidator({ schema: closed(schema as JsonSchema) as TSchema })
}

/** Returns the schema with additionalProperties: false on every object that does not set it. */
export function closed(schema: JsonSchema): JsonSchema {
  const { properties, items, anyOf } = schema
  const result: Record<string, unknown> = { ...schema }
  if (properties !== undefined) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, closed(property)]),
    )
    result.additionalProperties = schema.additionalProperties ?? false
  }
  if (items !== undefined) result.items = closed(items)
  if (anyOf !== undefined) result.anyOf = anyOf.map(closed)
  return result as JsonSchema
}

function readTexts(schema: JsonSchema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, text]) => [name, readText(schema.properties?.[name], text)]),
  )
}

/** Text that does not match the type is kept, and fails validation. */
function readText(schema: JsonSchema | undefined, value: unknown): unknown {
  if (schema?.type === 'array') {
    const items = Array.isArray(value) ? value : [value]
    return items.map((item) => readText(schema.items, item))
  }
  if (typeof value !== 'string') return value
  const types = schema?.anyOf?.map(({ type }) => type) ?? [schema?.type]
  const isNumber = types.includes('integer') || types.includes('number')
  if (isNumber && /^-?(?:0|[1-9]\d*)$/.test(value)) return Number(value)
  if (types.includes('number') && /^-?\d+\.\d+$/.test(value)) return Number(value)
  if (types.includes('boolean') && /^(?:true|false)$/.test(value)) return value === 'true'
  return value
}

const places: Record<RequestPart, string> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
}

function invalid(
  part: RequestPart,
  schema: JsonSchema,
  errors: readonly TLocalizedValidationError[],
): RestError {
  const unknown = unknownProperty(part, schema, errors)
  if (unknown !== undefined) return unknown
  const error = mostTelling(errors)
  const place = `${places[part]}${error.instancePath}`
  const choices = choicesAt(schema, error.instancePath)
  const must = choices === undefined ? error.message : `must be one of ${choices.join(', ')}`
  return new RestError(
    40002,
    'INVALID_REQUEST',
    `${place} ${must}`,
    'correct the request: the OpenAPI document at /openapi.json describes it',
  )
}

function unknownProperty(
  part: RequestPart,
  schema: JsonSchema,
  errors: readonly TLocalizedValidationError[],
): RestError | undefined {
  const error = errors.find(({ keyword }) => keyword === 'additionalProperties')
  if (error === undefined) return undefined
  const { additionalProperties } = error.params as {
    readonly additionalProperties: readonly string[]
  }
  const name = additionalProperties[0] ?? ''
  const known = Object.keys(schemaAt(schema, error.instancePath)?.properties ?? {})
  const action =
    known.length === 0
      ? `remove it: the ${places[part]} has no properties`
      : `remove it, or use one of ${known.join(', ')}`
  return new RestError(
    40002,
    'UNKNOWN_PROPERTY',
    `${places[part]}${error.instancePath} has no property ${shortened(name)}${suggestion(name, known)}`,
    action,
  )
}

/**
 * The first error at the deepest path: errors within an `anyOf` say more than that no branch
 * matches.
 */
function mostTelling(errors: readonly TLocalizedValidationError[]): TLocalizedValidationError {
  const depth = ({ instancePath }: TLocalizedValidationError) => instancePath.split('/').length
  const deepest = Math.max(...errors.map(depth))
  return errors.find((error) => depth(error) === deepest)!
}

function choicesAt(schema: JsonSchema, path: string): readonly string[] | undefined {
  const found = schemaAt(schema, path)
  if (found?.enum !== undefined) return found.enum.map(String)
  const choices = found?.anyOf?.map((choice) => choice.const)
  if (choices === undefined || choices.includes(undefined)) return undefined
  return choices.map(String)
}

function schemaAt(schema: JsonSchema, path: string): JsonSchema | undefined {
  let at: JsonSchema | undefined = schema
  for (const name of path.split('/').slice(1)) at = at?.properties?.[name] ?? at?.items
  return at
}

function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`
}
