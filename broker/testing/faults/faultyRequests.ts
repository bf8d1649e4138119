// Applies faults between a broker and the clients of a test: delays a matching request, answers it
// with an error, or closes its connection. Other requests pass unchanged.
//
// Invariant: requests of one connection stay in order. Requests behind a delayed one wait for it,
// although the broker may handle several requests of a connection concurrently.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import { type Clock, sleep } from '../../../protocol/runtime/time/clock.ts'
import { noResponse } from '../../server/request/handler.ts'
import type { RequestContext } from '../../server/request/requestContext.ts'
import { type ErrorToAnswer, failAfterwards, namesIn, refuse, type Values } from './errorAnswer.ts'
import { fallibleApis, isFallible } from './errorPlaces.ts'
import type { FaultAction, RequestFault, RequestNames } from './fault.ts'
import type { Faults } from './faults.ts'

type Handle = (request: unknown) => unknown

interface Asked {
  readonly api: Api
  readonly request: Values
  readonly context: RequestContext
  readonly handle: Handle
}

type FailAction = Extract<FaultAction, { type: 'fail' }>

export class FaultyRequests {
  readonly #faults: Faults
  readonly #clock: Clock
  /** By connection: resolves when the last delayed request on it continues. */
  readonly #held = new WeakMap<AbortSignal, Promise<void>>()

  constructor(faults: Faults, clock: Clock) {
    this.#faults = faults
    this.#clock = clock
  }

  handle(api: Api, request: unknown, context: RequestContext, handle: Handle): unknown {
    const held = this.#held.get(context.stopWaiting)
    if (held === undefined && this.#faults.isEmpty) return handle(request)
    const taken = this.#faults.take(namesOf(api, request as Values, context))
    if (taken.length === 0 && held === undefined) return handle(request)
    const asked = { api, request: request as Values, context, handle }
    const hold = this.#hold(taken, held, context)
    return hold === undefined ? this.#perform(asked, taken) : this.#performLater(asked, taken, hold)
  }

  /** Returns what a request waits for before it is handled; undefined for nothing. */
  #hold(
    taken: readonly RequestFault[],
    held: Promise<void> | undefined,
    { stopWaiting }: RequestContext,
  ): Promise<void> | undefined {
    const delay = taken.find(({ action, options }) => action.type === 'delay' && !options.after)
    if (delay === undefined) return held
    const own = this.#sleep(delay, stopWaiting)
    const all = held === undefined ? own : Promise.all([held, own]).then(() => {})
    this.#held.set(stopWaiting, all)
    void all.then(() => {
      if (this.#held.get(stopWaiting) === all) this.#held.delete(stopWaiting)
    })
    return all
  }

  async #performLater(
    asked: Asked,
    taken: readonly RequestFault[],
    hold: Promise<void>,
  ): Promise<unknown> {
    await hold
    if (asked.context.stopWaiting.aborted) return noResponse
    return await this.#perform(asked, taken)
  }

  #perform(asked: Asked, taken: readonly RequestFault[]): unknown {
    const disconnect = taken.find(({ action }) => action.type === 'disconnect')
    const fail = taken.find(({ action }) => action.type === 'fail')
    const late = taken.find(({ action, options }) => action.type === 'delay' && options.after)
    if (disconnect !== undefined && !disconnect.options.after) return lose(asked)
    const answer = fail === undefined ? asked.handle(asked.request) : this.#fail(asked, fail)
    if (late === undefined && disconnect === undefined) return answer
    return this.#deliver(asked, answer, late, disconnect)
  }

  /** Delivers a response late, or drops it. */
  async #deliver(
    asked: Asked,
    answer: unknown,
    late: RequestFault | undefined,
    disconnect: RequestFault | undefined,
  ): Promise<unknown> {
    const settled = await answer
    if (late !== undefined) await this.#sleep(late, asked.context.stopWaiting)
    return disconnect === undefined ? settled : lose(asked)
  }

  async #fail(asked: Asked, fault: RequestFault): Promise<unknown> {
    const { api, request, context, handle } = asked
    const error = errorOf(api, fault, context)
    if (fault.options.after) {
      const answer = await handle(request)
      return answer === noResponse ? lose(asked) : failAfterwards(error, request, answer as Values)
    }
    const refused = refuse(error, request)
    const rest = refused.rest && withoutWait(refused.rest)
    const restAnswer = rest && (await handle(rest))
    // With acks=0, a producer learns of an error by losing its connection, as in Kafka.
    if (restAnswer === noResponse || request.acks === 0) return lose(asked)
    return refused.answer(restAnswer as Values | undefined)
  }

  async #sleep(fault: RequestFault, stopWaiting: AbortSignal): Promise<void> {
    const { ms } = fault.action as Extract<FaultAction, { type: 'delay' }>
    await sleep(this.#clock, ms, AbortSignal.any([stopWaiting, fault.removed]))
  }
}

/** The error is returned at once, even if the fetch would wait for records. */
function withoutWait(request: Values): Values {
  return 'maxWaitMs' in request ? { ...request, maxWaitMs: 0 } : request
}

function lose({ api, context }: Asked): typeof noResponse {
  context.disconnect(`closed by a fault of the test: ${api.name}`)
  return noResponse
}

function errorOf(api: Api, fault: RequestFault, context: RequestContext): ErrorToAnswer {
  const { code, message } = fault.action as FailAction
  return {
    api,
    place: placeOf(api, context.apiVersion, code),
    code,
    message,
    selects: fault.selects,
    topicName: topicNames(context),
  }
}

function placeOf({ name }: Api, version: number, code: number) {
  return isFallible(name) ? fallibleApis[name].place(version, code) : { levels: [] }
}

function topicNames({ broker }: RequestContext): ErrorToAnswer['topicName'] {
  return (topicId) => broker.controller.state.topicById(topicId)?.name
}

function namesOf(api: Api, request: Values, context: RequestContext): RequestNames {
  const { levels } = placeOf(api, context.apiVersion, ErrorCode.unknownTopicOrPartition)
  const { groupId, transactionalId, v3AndBelowTransactionalId } = request
  return {
    api,
    clientId: context.clientId,
    // Empty in versions that have it elsewhere.
    groupId: (groupId as string | undefined) || undefined,
    transactionalId: ((transactionalId || v3AndBelowTransactionalId) as string) || undefined,
    entries: [...namesIn(levels, request, topicNames(context))],
  }
}
