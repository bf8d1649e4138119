// Error responses for every API and version that can be failed: valid by the protocol, with the
// error where clients expect it.

import { describe, expect, it } from 'vitest'
import {
  type ErrorToAnswer,
  failAfterwards,
  refuse,
  type Values,
} from '../../../../broker/testing/faults/errorAnswer.ts'
import {
  type FallibleApiName,
  fallibleApis,
  itself,
  type Level,
} from '../../../../broker/testing/faults/errorPlaces.ts'
import { ByteReader } from '../../../../protocol/bytes/reader.ts'
import { ErrorCode, errorName } from '../../../../protocol/kafka/errors.ts'
import { decodeResponse, encodeResponse } from '../../../../protocol/kafka/frame.ts'
import { defaultsOf } from '../../../../protocol/kafka/schema/fields.ts'
import type { Api, Message } from '../../../../protocol/kafka/schema/schema.ts'

const ids: Readonly<Record<string, string>> = {
  '00000000-0000-4000-8000-000000000001': 'one',
  '00000000-0000-4000-8000-000000000002': 'two',
}
const names = Object.keys(fallibleApis) as FallibleApiName[]

function errorOf(name: FallibleApiName, version: number, code: number): ErrorToAnswer {
  return {
    api: fallibleApis[name].api,
    place: fallibleApis[name].place(version, code),
    code,
    message: undefined,
    selects: () => true,
    topicName: (id) => ids[id],
  }
}

/** A request that asks about two things at each level: texts `one` and `two`, numbers 1 and 2. */
function requestOf(api: Api, levels: readonly Level[]): Values {
  const { fields } = api.request as Message<never>
  return { ...defaultsOf(fields), ...entriesOf(levels), groupId: 'one', acks: -1 }
}

function entriesOf([level, ...inner]: readonly Level[]): Values {
  if (level === undefined) return {}
  const entries = [1, 2].map((number) => {
    const isNumber = level.kind === 'partition'
    const value = isNumber ? number : number === 1 ? 'one' : 'two'
    const [first, ...rest] = Object.values(level.keys)
    if (first === itself) return value
    const entry: Record<string, unknown> = {
      [first as string]: first === 'resourceType' ? number : value,
    }
    for (const key of rest as string[]) {
      entry[key] = key === 'topicId' ? Object.keys(ids)[number - 1] : `${value}`
    }
    return { ...entry, ...entriesOf(inner) }
  })
  return { [level.asked]: entries }
}

function throughTheWire(api: Api, version: number, answer: Values): Values {
  const frame = Buffer.concat(encodeResponse(api, version, 7, answer))
  return decodeResponse(api, version, new ByteReader(frame.subarray(4))).body as Values
}

/** All error codes at the last level. */
function codesIn(answer: Values, levels: readonly Level[], field = 'errorCode'): unknown[] {
  const [level, ...inner] = levels
  if (level === undefined) return [answer[field]]
  return (answer[level.answered] as Values[]).flatMap((entry) => codesIn(entry, inner, field))
}

describe.each(names)('%s', (name) => {
  const { api } = fallibleApis[name]
  const versions = Array.from(
    { length: api.maxVersion - api.minVersion + 1 },
    (_, index) => api.minVersion + index,
  )

  it.each(versions)('in version %i answers everything with the error', (version) => {
    const code = ErrorCode.unknownTopicOrPartition
    const error = errorOf(name, version, code)
    const { levels, field } = error.place
    const { rest, answer } = refuse(error, requestOf(api, levels))
    if (!error.place.isWholeAlways) expect(rest).toBeUndefined()
    const top = error.place.isWholeAlways
      ? defaultsOf((api.response as Message<never>).fields)
      : undefined
    const body = throughTheWire(api, version, answer(top))
    const codes = codesIn(body, levels, field)
    expect(codes).toEqual(Array(2 ** levels.length).fill(code))
  })

  it.each(versions)('in version %i puts the error into an answer that was given', (version) => {
    const code = ErrorCode.unknownServerError
    const place = fallibleApis[name].place(version, code)
    const request = requestOf(api, place.levels)
    const given = refuse({ ...errorOf(name, version, ErrorCode.none), place }, request)
    const fields = (api.response as Message<never>).fields
    const answered = given.answer(defaultsOf(fields))
    const isFirst: ErrorToAnswer['selects'] = ({ topic, partition, group }) =>
      (topic ?? group ?? 'one') === 'one' && (partition ?? 1) === 1
    const error = { ...errorOf(name, version, code), selects: isFirst }
    const body = throughTheWire(api, version, failAfterwards(error, request, answered))
    const codes = codesIn(body, place.levels, place.field)
    expect(codes).toHaveLength(2 ** place.levels.length)
    if (place.levels[0]?.kind === 'other') expect(codes).toEqual([code, code])
    else expect(codes.filter((each) => each === code)).toHaveLength(1)
  })
})

describe('an error for one partition', () => {
  const error: ErrorToAnswer = {
    ...errorOf('Produce', 9, ErrorCode.notLeaderOrFollower),
    selects: ({ topic, partition }) => topic === 'two' && partition === 1,
  }

  it('leaves the other partitions to be handled, and merges the responses', () => {
    const request = requestOf(fallibleApis.Produce.api, error.place.levels)
    const { rest, answer } = refuse(error, request)
    const topics = rest!.topicData as { name: string; partitionData: { index: number }[] }[]
    expect(topics.map(({ name, partitionData }) => [name, partitionData.length])).toEqual([
      ['one', 2],
      ['two', 1],
    ])
    const handled = refuse({ ...error, code: 0, selects: () => true }, rest!).answer(undefined)
    const { responses } = answer(handled) as unknown as {
      responses: { name: string; partitionResponses: { index: number; errorCode: number }[] }[]
    }
    const codes = responses.map(({ name, partitionResponses }) => [
      name,
      ...partitionResponses
        .map(({ index, errorCode }) => `${index}: ${errorName(errorCode)}`)
        .sort(),
    ])
    expect(codes).toEqual([
      ['one', '1: NONE', '2: NONE'],
      ['two', '1: NOT_LEADER_OR_FOLLOWER', '2: NONE'],
    ])
  })

  it('resolves the topic by its id', () => {
    const byId = {
      ...errorOf('Fetch', 13, 6),
      selects: ({ topic }: { topic?: string | undefined }) => topic === 'two',
    }
    const asked = Object.keys(ids).map((topicId) => ({
      topic: '',
      topicId,
      partitions: [{ partition: 1 }],
    }))
    const { rest, answer } = refuse(byId, { topics: asked })
    expect(rest).toEqual({ topics: [asked[0]] })
    expect(answer(undefined).responses).toMatchObject([{ topicId: asked[1]!.topicId }])
  })
})

describe('a request for everything', () => {
  it('gets the error in its response', () => {
    const error = {
      ...errorOf('Metadata', 9, 5),
      selects: ({ topic }: { topic?: string | undefined }) => topic === 'b',
    }
    const request = { topics: null }
    const given = {
      brokers: [],
      topics: ['a', 'b'].map((name) => ({ name, errorCode: 0, partitions: [1] })),
    }
    const { rest, answer } = refuse(error, request)
    expect(rest).toBe(request)
    for (const result of [answer(given), failAfterwards(error, request, given)]) {
      expect(result.topics).toMatchObject([
        { name: 'a', errorCode: 0 },
        { name: 'b', errorCode: 5, partitions: [] },
      ])
    }
  })
})
