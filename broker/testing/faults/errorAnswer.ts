// Builds responses with an error from the schemas of the protocol: the entries of a request that a
// fault selects are removed and answered with the error; the others are handled as usual. Works for
// every API in errorPlaces.ts, without code per API.

import { defaultsOf, type Fields, zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { type Api, Message } from '../../../protocol/kafka/schema/schema.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import { type ErrorPlace, itself, type Level } from './errorPlaces.ts'

/** A decoded message, or a part of one. */
export type Values = Readonly<Record<string, unknown>>

/** What one entry of a request names. */
export interface EntryNames {
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly group?: string | undefined
  /** The entry stands for all entries below it. */
  readonly isAll?: boolean
}

export interface ErrorToAnswer {
  readonly api: Api
  readonly place: ErrorPlace
  readonly code: number
  readonly message: string | undefined
  readonly selects: (names: EntryNames) => boolean
  /** Returns the name of a topic that a request names by id. */
  readonly topicName: (topicId: string) => string | undefined
}

/** A request that fails completely or partly. */
export interface RefusedRequest {
  /** The remaining request to handle; undefined if nothing remains. */
  readonly rest: Values | undefined
  /** Returns the complete response, given the response to `rest`. */
  answer(restAnswer: Values | undefined): Values
}

interface Divided {
  readonly rest: unknown[]
  /** Failed entries, in the shape of the response. */
  readonly failed: Values[]
}

export function refuse(error: ErrorToAnswer, request: Values): RefusedRequest {
  const { place } = error
  const [level] = place.levels
  const fields = fieldsOf(error.api)
  if (level === undefined) {
    const answer = failedTop(error, fields, request)
    return { rest: undefined, answer: () => answer }
  }
  // Only the complete response shows which entries there are.
  if (asksForAll(error, request)) {
    return { rest: request, answer: (answer) => withFailures(error, answer!) }
  }
  const asked = request[level.asked] as readonly unknown[]
  const { rest, failed } = divide(error, place.levels, asked, fields, {})
  const isNeeded = rest.length > 0 || place.isWholeAlways === true
  return {
    rest: isNeeded ? { ...request, [level.asked]: rest } : undefined,
    answer: (answer = defaultsOf(fields)) => merged(place.levels, answer, failed),
  }
}

/** Returns the response to a handled request, with the error in place of the results. */
export function failAfterwards(error: ErrorToAnswer, request: Values, answer: Values): Values {
  const isTop = error.place.levels.length === 0
  if (!isTop && asksForAll(error, request)) return withFailures(error, answer)
  return refuse(error, request).answer(isTop ? undefined : answer)
}

function asksForAll({ place, topicName }: ErrorToAnswer, request: Values): boolean {
  return [...namesIn(place.levels, request, topicName)].some(({ isAll }) => isAll)
}

/** Yields what each entry of the request names. */
export function* namesIn(
  levels: readonly Level[],
  request: Values,
  topicName: ErrorToAnswer['topicName'],
): Generator<EntryNames> {
  yield* namesBelow(levels, request, topicName, {})
}

function* namesBelow(
  [level, ...inner]: readonly Level[],
  values: Values,
  topicName: ErrorToAnswer['topicName'],
  outer: EntryNames,
): Generator<EntryNames> {
  if (level === undefined) {
    yield outer
    return
  }
  const entries = values[level.asked] as readonly unknown[] | null
  if (entries === null) {
    yield { ...outer, isAll: true }
    return
  }
  for (const entry of entries) {
    const names = { ...outer, ...nameOf(level, entry, topicName) }
    yield* namesBelow(inner, entry as Values, topicName, names)
  }
}

function divide(
  error: ErrorToAnswer,
  levels: readonly Level[],
  entries: readonly unknown[],
  fields: Fields,
  outer: EntryNames,
): Divided {
  const [level, ...inner] = levels
  const entryFields = fieldsOfEntries(fields, level!.answered)
  const divided: Divided = { rest: [], failed: [] }
  for (const entry of entries) {
    const names = { ...outer, ...nameOf(level!, entry, error.topicName) }
    const keys = keysOf(level!, entry)
    if (inner.length === 0) {
      if (error.selects(names)) divided.failed.push(failedEntry(error, entryFields, keys))
      else divided.rest.push(entry)
      continue
    }
    const { asked, answered } = inner[0]!
    const innerEntries = (entry as Values)[asked] as readonly unknown[]
    const { rest, failed } = divide(error, inner, innerEntries, entryFields, names)
    if (rest.length > 0) divided.rest.push({ ...(entry as Values), [asked]: rest })
    if (failed.length > 0) {
      divided.failed.push({ ...defaultsOf(entryFields), ...keys, [answered]: failed })
    }
  }
  return divided
}

/**
 * Inserts the failed entries into the response: in place of entries with the same keys, or at the
 * end.
 */
function merged([level, ...inner]: readonly Level[], answer: Values, failed: Values[]): Values {
  const entries = [...(answer[level!.answered] as readonly Values[])]
  for (const failure of failed) {
    const at = entries.findIndex((entry) => isSame(level!, entry, failure))
    if (at < 0) entries.push(failure)
    else if (inner.length === 0) entries[at] = failure
    else entries[at] = merged(inner, entries[at]!, failure[inner[0]!.answered] as Values[])
  }
  return { ...answer, [level!.answered]: entries }
}

/** Treats the entries of the response as those of the request. */
function withFailures(error: ErrorToAnswer, answer: Values): Values {
  const { levels } = error.place
  const asked = askedEntries(levels, answer)
  const { failed } = divide(error, levels, asked, fieldsOf(error.api), {})
  return merged(levels, answer, failed)
}

function askedEntries([level, ...inner]: readonly Level[], answer: Values): unknown[] {
  return (answer[level!.answered] as readonly Values[]).map((entry) => {
    const keys = Object.entries(level!.keys)
    if (keys[0]![1] === itself) return entry[keys[0]![0]]
    const asked: Record<string, unknown> = {}
    for (const [answered, name] of keys) asked[name as string] = entry[answered]
    if (inner.length > 0) asked[inner[0]!.asked] = askedEntries(inner, entry)
    return asked
  })
}

function failedTop(error: ErrorToAnswer, fields: Fields, request: Values): Values {
  const repeated = (error.place.repeated ?? []).map((name) => [name, request[name]])
  return failedEntry(error, fields, Object.fromEntries(repeated))
}

function failedEntry(
  { place, code, message }: ErrorToAnswer,
  fields: Fields,
  keys: Values,
): Values {
  const messageField =
    message !== undefined && 'errorMessage' in fields ? { errorMessage: message } : {}
  const field = place.field ?? 'errorCode'
  return { ...defaultsOf(fields), ...place.values, ...keys, ...messageField, [field]: code }
}

function keysOf({ keys }: Level, entry: unknown): Values {
  const values = Object.entries(keys).map(([answered, asked]) => [
    answered,
    asked === itself ? entry : (entry as Values)[asked],
  ])
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

/** A request names a topic by name or by id; a response may have both. */
function isSame({ keys }: Level, entry: Values, failure: Values): boolean {
  return Object.keys(keys).every((name) => {
    const value = failure[name]
    return value === '' || value === null || value === zeroUuid || entry[name] === value
  })
}

function nameOf(level: Level, entry: unknown, topicName: ErrorToAnswer['topicName']): EntryNames {
  const [first, second] = Object.values(keysOf(level, entry))
  switch (level.kind) {
    case 'topic': {
      const name = first as string | null
      return { topic: name || (second === undefined ? undefined : topicName(second as string)) }
    }
    case 'partition':
      return { partition: first as number }
    case 'group':
      return { group: first as string }
    case 'other':
      return {}
  }
}

function fieldsOf({ name, response }: Api): Fields {
  assert(response instanceof Message, `${name} is not declared as a table`)
  return response.fields
}

function fieldsOfEntries(fields: Fields, name: string): Fields {
  const type = fields[name]?.type
  assert(type?.kind === 'array' && type.element.kind === 'struct', `${name} is no array of structs`)
  return type.element.fields
}
