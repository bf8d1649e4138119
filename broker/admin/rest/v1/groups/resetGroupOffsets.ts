// `POST /api/v1/groups/{group}/offsets:reset`: moves the offsets of a group without members. Unless
// `execute` is true, it only returns a preview, with a token that restricts the execution to
// exactly that plan.

import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import { OffsetSpec } from '../../../../../protocol/client/admin.ts'
import type { TopicPartition } from '../../../../../protocol/kafka/topicPartition.ts'
import type { AdminContext } from '../../adminContext.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'
import { offsetsAt, partitionsOf, timeMsOf, timeText } from '../records/recordRange.ts'
import {
  describedGroup,
  groupInUse,
  groupParams,
  groupState,
  hasMembers,
  maybeCount,
  partitionNumber,
  topicName,
} from './groupSchemas.ts'
import {
  comparedWithPreview,
  planReset,
  type ResetPlan,
  type ResetTarget,
  type Strategy,
  strategies,
} from './offsetReset.ts'

const mostPartitions = 10_000

const body = Type.Object(
  {
    to: Type.Enum([...strategies], {
      description:
        'Target: the start (`earliest`) or the end (`latest`) of the log, an `offset`, a number of records forward or back (`shift_by`), the first record at or after a `time`, the first record younger than a `duration`, or the committed offset (`committed`).',
    }),
    offset: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'For `offset`.' }),
    ),
    shift_by: Type.Optional(
      Type.Integer({
        ...{ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
        description: 'For `shift_by`: negative numbers move back.',
      }),
    ),
    time: Type.Optional(timeText),
    duration_ms: Type.Optional(
      Type.Integer({
        ...{ minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
        description: 'For `duration`: time before now, in ms.',
      }),
    ),
    topics: Type.Optional(
      Type.Array(
        Type.Object({
          topic: topicName,
          partitions: Type.Optional(
            Type.Array(partitionNumber, { minItems: 1, maxItems: mostPartitions }),
          ),
        }),
        {
          ...{ minItems: 1, maxItems: 1_000 },
          description: 'Topics to reset. Default: all with committed offsets.',
        },
      ),
    ),
    execute: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether to reset the offsets; otherwise the response is a preview.',
      }),
    ),
    preview_token: Type.Optional(
      Type.String({
        maxLength: 100,
        description:
          'Token of the preview: the execution is refused if it would differ from the preview.',
      }),
    ),
  },
  {
    examples: [
      { to: 'earliest', topics: [{ topic: 'orders' }] },
      { to: 'time', time: '2026-11-30T08:00:00Z', execute: true },
    ],
  },
)

type ResetRequest = Static<typeof body>

const answer = Type.Object({
  group: Type.String(),
  state: groupState,
  executed: Type.Boolean(),
  can_execute: Type.Boolean({ description: 'False while the group has members.' }),
  preview_token: Type.String(),
  read_again: Type.Integer({
    description: 'Upper bound of the records that the group would read again.',
  }),
  skipped: Type.Integer({ description: 'Upper bound of the records that the group would skip.' }),
  partitions: Type.Array(
    Type.Object({
      topic: Type.String(),
      partition: Type.Integer(),
      old_offset: maybeCount('Null if the group has no committed offset.'),
      new_offset: Type.Integer(),
      adjusted: Type.Boolean({
        description:
          'Whether the requested offset was outside of the log and was moved to its nearest end.',
      }),
      read_again: maybeCount('Null if the group has no committed offset.'),
      skipped: maybeCount('Null if the group has no committed offset.'),
    }),
  ),
})

export const resetGroupOffsets: AdminRoute = (server, context) => {
  server.post(
    '/api/v1/groups/:group/offsets::reset',
    {
      schema: {
        operationId: 'resetGroupOffsets',
        tags: ['Groups'],
        summary: 'Reset the offsets of a group, or preview the reset',
        description:
          'A preview unless `execute` is true. Refused while the group has members. Pass the `preview_token` of a preview to execute exactly that plan.',
        params: groupParams,
        body,
        response: { 200: answer },
      },
    },
    async (request) => {
      const { group } = request.params
      const { admin } = context
      const { execute = false, preview_token: token } = request.body
      const target = targetOf(request.body)
      const described = await describedGroup(admin, group)
      const canExecute = !hasMembers(described)
      if (execute && !canExecute) throw groupInUse(described)
      const plans = await plansOf(context, group, request.body, target)
      const ownToken = tokenOf(group, request.body, plans, target)
      if (token !== undefined && token !== ownToken) throw outdated(group)
      if (execute) await commit(admin, group, plans)
      request.changed = { group, to: target.strategy, partitions: plans.length, execute }
      const sum = (values: readonly (number | null)[]) =>
        values.reduce<number>((total, value) => total + (value ?? 0), 0)
      return {
        ...{ group, state: described.state, executed: execute, can_execute: canExecute },
        preview_token: ownToken,
        read_again: sum(plans.map(({ readAgain }) => readAgain)),
        skipped: sum(plans.map(({ skipped }) => skipped)),
        partitions: plans.map((plan) => ({
          topic: plan.topic,
          partition: plan.partition,
          old_offset: plan.oldOffset,
          new_offset: plan.newOffset,
          adjusted: plan.isAdjusted,
          read_again: plan.readAgain,
          skipped: plan.skipped,
        })),
      }
    },
  )
}

/** The property that each target needs; the others must be absent, as they would be ignored. */
const properties: Partial<Record<Strategy, 'offset' | 'shift_by' | 'time' | 'duration_ms'>> = {
  ...{ offset: 'offset', shift_by: 'shift_by', time: 'time', duration: 'duration_ms' },
}

function targetOf(asked: ResetRequest): ResetTarget {
  const needed = properties[asked.to]
  for (const name of Object.values(properties)) {
    if ((asked[name] !== undefined) === (name === needed)) continue
    const problem = name === needed ? 'is missing' : `is not allowed with to: ${asked.to}`
    throw new RestError(
      40002,
      'CONFLICTING_PARAMETERS',
      `body/${name} ${problem}`,
      needed === undefined ? `remove ${name}` : `give ${needed} and no other`,
    )
  }
  return { strategy: asked.to, value: asked.offset ?? asked.shift_by ?? 0 }
}

async function plansOf(
  { admin, clock }: AdminContext,
  group: string,
  asked: ResetRequest,
  target: ResetTarget,
): Promise<ResetPlan[]> {
  const committed = await admin.groupOffsets(group)
  const offsets = new Map(committed.map((place) => [keyOf(place), place.offset]))
  const places = await placesOf(admin, asked, committed)
  if (places.length === 0) throw nothingCommitted(group)
  if (places.length > mostPartitions) throw tooMany(places.length)
  const timeMs = timeOf(asked, clock.nowMs())
  const plans: ResetPlan[] = []
  for (const [topic, partitions] of byTopic(places)) {
    const at = (spec: number) => offsetsAt(admin, topic, partitions, spec)
    const [starts, ends, times] = await Promise.all([
      at(OffsetSpec.earliest),
      at(OffsetSpec.latest),
      timeMs === undefined ? undefined : at(timeMs),
    ])
    for (const [index, partition] of partitions.entries()) {
      const atTime = times?.[index] ?? -1
      const place = {
        ...{ topic, partition, start: starts[index]!, end: ends[index]! },
        committed: offsets.get(keyOf({ topic, partition })) ?? null,
        atTime: atTime < 0 ? null : atTime,
      }
      plans.push(planReset(place, target))
    }
  }
  return plans
}

function timeOf({ time, duration_ms }: ResetRequest, nowMs: number): number | undefined {
  if (time !== undefined) return timeMsOf(time)
  return duration_ms === undefined ? undefined : Math.max(0, nowMs - duration_ms)
}

async function placesOf(
  admin: Admin,
  { topics }: ResetRequest,
  committed: readonly TopicPartition[],
): Promise<readonly TopicPartition[]> {
  if (topics === undefined) return committed
  const places = new Map<string, TopicPartition>()
  for (const { topic, partitions } of topics) {
    for (const partition of await partitionsOf(admin, topic, partitions)) {
      places.set(keyOf({ topic, partition }), { topic, partition })
    }
  }
  return [...places.values()]
}

function byTopic(places: readonly TopicPartition[]): Map<string, number[]> {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of places) {
    const known = topics.get(topic)
    if (known === undefined) topics.set(topic, [partition])
    else known.push(partition)
  }
  return topics
}

async function commit(admin: Admin, group: string, plans: readonly ResetPlan[]): Promise<void> {
  const offsets = plans.map(({ topic, partition, newOffset }) => ({
    ...{ topic, partition, offset: newOffset },
  }))
  const outcomes = await admin.alterGroupOffsets(group, offsets)
  for (const { errorCode, errorMessage, topic, partition } of outcomes) {
    if (errorCode !== 0) throw kafkaFailure(errorCode, errorMessage ?? `${topic}-${partition}`)
  }
}

function tokenOf(
  group: string,
  { topics, execute: _, preview_token: __, ...asked }: ResetRequest,
  plans: readonly ResetPlan[],
  target: ResetTarget,
): string {
  const compared = plans.map((plan) => comparedWithPreview(plan, target))
  const text = JSON.stringify([group, asked, topics ?? null, compared])
  return createHash('sha256').update(text).digest('base64url')
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function outdated(group: string): RestError {
  return new RestError(
    40900,
    'PREVIEW_OUTDATED',
    `the offsets of group ${group}, or the request, have changed since the preview`,
    'request another preview, and pass its token',
  )
}

function nothingCommitted(group: string): RestError {
  return new RestError(
    40403,
    'NOTHING_COMMITTED',
    `group ${group} has committed no offsets`,
    'give the topics to set offsets for, or check the name of the group: GET /api/v1/groups lists the groups',
  )
}

function tooMany(count: number): RestError {
  return new RestError(
    40002,
    'TOO_MANY_PARTITIONS',
    `${count} partitions are too many to reset at once: the limit is ${mostPartitions}`,
    'reset fewer topics per request, with topics',
  )
}
