// The differences between the REST API and Confluent's published one: computed from the OpenAPI
// document and confluentFacts.ts, each with its reason. docs/rest-differences.md is generated from
// it.

import { openApiDocument } from '../../../../openApiDocument.ts'
import { operations as published, type Shape, shapes } from './confluentFacts.ts'

export interface Difference {
  /** The operation with its published path: `GET /clusters`. */
  readonly operation: string
  readonly what: string
}

/** The reason for some of the differences. */
export interface Reason {
  readonly title: string
  readonly why: string
  readonly isFor: (difference: Difference) => boolean
}

export const reasons: readonly Reason[] = [
  {
    title: 'Lists have pages',
    why: 'A list without an end takes memory of the server and the client. A request that names no page gets up to 10,000 entries (the configurations of up to 1,000 topics), so only larger lists need the address in `metadata.next`.',
    isFor: ({ what }) => /^query also has page_(?:size|token)$/.test(what),
  },
  {
    title: 'No ACLs',
    why: 'Millrace has no authorizer yet. The link `acls` of a cluster, which every cluster must have, leads to a 404.',
    isFor: ({ operation }) => operation.includes('/acls'),
  },
  {
    title: 'No schema registry',
    why: 'Data of the types `AVRO`, `JSONSCHEMA` and `PROTOBUF`, and data without a type, need a schema registry. Such a record is refused with a result that says so, and so are the fields that name a schema.',
    isFor: ({ operation, what }) =>
      operation.includes('/records') && /\.(?:subject|subject_name_strategy|schema\w*)$/.test(what),
  },
  {
    title: 'Errors say more',
    why: 'Beside `error_code` and `message`, errors have `code`, a stable name for scripts, and `action`, what to do; those of whole requests also have `request_id`, which the log has too.',
    isFor: ({ what }) => /^answer also has (?:failures\[\]\.)?(?:code|action)$/.test(what),
  },
  {
    title: 'No type of offset',
    why: 'What the parameter may hold, and does, is not published. The answer always has the first and the next offset.',
    isFor: ({ what }) => what === 'query has no offset_type',
  },
]

/** A JSON schema of the OpenAPI document. */
interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly required?: readonly string[]
  readonly items?: Schema
}

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

interface Field {
  readonly types: readonly string[]
  readonly isAlways: boolean
  readonly values: readonly string[] | undefined
}

type Fields = ReadonlyMap<string, Field>

const document = JSON.parse(openApiDocument) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}
const prefix = '/v3'

/** Returns the differences in the order of the published operations, then of our own ones. */
export function differences(): Difference[] {
  const ours = ourOperations()
  const found = Object.entries(published).flatMap(([operation, theirs]) => {
    const our = ours.get(operation)
    if (our === undefined) return [{ operation, what: 'is not served' }]
    const query = compareNames('query', (theirs.query ?? '').split(' '), queryOf(our))
    const body = theirs.body === undefined ? [] : compareBody(shapes[theirs.body]!, our)
    const answers = compareAnswers(theirs.answers, our)
    return [...query, ...body, ...answers].map((what) => ({ operation, what }))
  })
  const more = [...ours.keys()].filter((operation) => !(operation in published))
  return [...found, ...more.map((operation) => ({ operation, what: 'is not published' }))]
}

function ourOperations(): Map<string, Operation> {
  const operations = new Map<string, Operation>()
  for (const [path, methods] of Object.entries(document.paths)) {
    if (!path.startsWith(`${prefix}/`)) continue
    for (const [method, operation] of Object.entries(methods)) {
      operations.set(`${method.toUpperCase()} ${path.slice(prefix.length)}`, operation)
    }
  }
  return operations
}

function queryOf({ parameters = [] }: Operation): string[] {
  return parameters.filter((each) => each.in === 'query').map(({ name }) => name)
}

function compareNames(kind: string, theirs: readonly string[], ours: readonly string[]): string[] {
  const missing = theirs.filter((name) => name !== '' && !ours.includes(name))
  const more = ours.filter((name) => !theirs.includes(name))
  return [
    ...missing.map((name) => `${kind} has no ${name}`),
    ...more.map((name) => `${kind} also has ${name}`),
  ]
}

/** Compares requests: a request that Confluent's API accepts must be accepted here. */
function compareBody(theirs: Shape, { requestBody }: Operation): string[] {
  const ours = fieldsOf(onlySchema(requestBody?.content))
  return [...publishedFields(theirs)].flatMap(([name, field]) => {
    const our = ours.get(name)
    if (our === undefined) return [`body has no ${name}`]
    const missing = [
      ...field.types.filter((type) => !fits(type, our.types)),
      ...(our.values && field.values ? field.values.filter((v) => !our.values!.includes(v)) : []),
    ]
    const narrower = missing.length === 0 ? [] : [`body: ${name} may not be ${missing.join(', ')}`]
    const needed = our.isAlways && !field.isAlways ? [`body: ${name} has to be given`] : []
    return [...narrower, ...needed]
  })
}

/** Compares answers: a client of Confluent's API must be able to read ours. */
function compareAnswers(theirs: Readonly<Record<number, string>>, our: Operation): string[] {
  const found = Object.entries(theirs).flatMap(([status, shape]) => {
    const answer = our.responses[status]
    if (answer === undefined) return [`does not answer ${status}`]
    return shape === '' ? [] : compareAnswer(shapes[shape]!, fieldsOf(onlySchema(answer.content)))
  })
  const others = Object.keys(our.responses).filter(
    (status) => status.startsWith('2') && !(status in theirs),
  )
  return [...new Set([...found, ...others.map((status) => `also answers ${status}`)])]
}

function compareAnswer(theirs: Shape, ours: Fields): string[] {
  const known = publishedFields(theirs)
  const found = [...known].flatMap(([name, field]) => {
    const our = ours.get(name)
    if (our === undefined) return [`answer has no ${name}`]
    const others = [
      ...our.types.filter((type) => !fits(type, field.types)),
      ...(field.values ? (our.values ?? []).filter((v) => !field.values!.includes(v)) : []),
    ]
    const wider = others.length === 0 ? [] : [`answer: ${name} may be ${others.join(', ')}`]
    const missing = field.isAlways && !our.isAlways ? [`answer: ${name} may be missing`] : []
    return [...wider, ...missing]
  })
  const more = [...ours.keys()].filter((name) => !known.has(name))
  return [...found, ...more.map((name) => `answer also has ${name}`)]
}

function fits(type: string, types: readonly string[]): boolean {
  return type === 'any' || types.includes('any') || types.includes(type)
}

/** Parses fields such as `string|null! A,B`, and replaces a link by an object with its address. */
function publishedFields(shape: Shape): Fields {
  const fields = new Map<string, Field>()
  for (const [name, text] of Object.entries(shape)) {
    const [, types, always, values] = /^([a-z|]+)(!?)(?: (.+))?$/.exec(text)!
    const isLink = types === 'link'
    fields.set(name, {
      types: isLink ? ['object'] : types!.split('|'),
      isAlways: always === '!',
      values: values?.split(','),
    })
    if (isLink) {
      fields.set(`${name}.related`, { types: ['string'], isAlways: true, values: undefined })
    }
  }
  return fields
}

function onlySchema(content: Readonly<Record<string, { readonly schema: Schema }>> | undefined) {
  return content?.['application/json']?.schema ?? {}
}

function fieldsOf(schema: Schema): Fields {
  const fields = new Map<string, Field>()
  collect(schema, '', false, fields)
  return fields
}

function collect(
  schema: Schema,
  name: string,
  isAlways: boolean,
  fields: Map<string, Field>,
): void {
  const choices = schema.anyOf ?? [schema]
  const types = [...new Set(choices.map(typeOf))]
  const values = choices.flatMap(
    (choice) => choice.enum ?? ('const' in choice ? [choice.const] : []),
  )
  const texts = values.length === 0 ? undefined : values.map(String)
  if (name !== '') fields.set(name, { types, isAlways, values: texts })
  for (const choice of choices) {
    const { properties = {}, required = [], items, additionalProperties: others } = choice
    for (const [key, property] of Object.entries(properties)) {
      const path = name === '' ? key : `${name}.${key}`
      collect(property, path, required.includes(key), fields)
    }
    const named = Object.values(choice.patternProperties ?? {})
    for (const property of typeof others === 'object' ? [...named, others] : named) {
      collect(property, `${name}.*`, false, fields)
    }
    if (items !== undefined) collect(items, `${name}[]`, false, fields)
  }
}

function typeOf({ type, enum: values, const: value }: Schema): string {
  if (type !== undefined) return type
  const example = values?.[0] ?? value
  return example === undefined ? 'any' : typeof example
}
