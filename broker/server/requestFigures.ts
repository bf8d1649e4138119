// What is counted of requests: plain fields, one object for each API, so that a request costs some additions
// and no lookup by name. Prometheus reads them when it asks (broker/metrics).

import type { Api } from '../../protocol/kafka/schema.ts'
import { Distribution } from '../../protocol/telemetry/distribution.ts'
import { requestMetrics } from '../metrics/table/requests.ts'
import { ErrorCodes } from './errorCodes.ts'

/** One request on its way, by the monotonic clock. */
export interface RequestRecord {
  /** Undefined until its header has been read. */
  figures: ApiFigures | undefined
  /** When its last byte came. */
  readonly arrivedMs: number
  readonly startedMs: number
  /** How long it has waited for records of others. */
  waitedMs: number
}

const phaseBuckets = requestMetrics.phases.buckets

export class ApiFigures {
  readonly name: string
  requests = 0
  requestBytes = 0
  responseBytes = 0
  readonly latency = new Distribution(requestMetrics.latency.buckets)
  readonly queue = new Distribution(phaseBuckets)
  readonly local = new Distribution(phaseBuckets)
  readonly wait = new Distribution(phaseBuckets)
  readonly send = new Distribution(phaseBuckets)
  /** By error code. */
  readonly errors = new Map<number, number>()
  readonly #errorCodes: ErrorCodes
  readonly #countError = (code: number): void => {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  constructor(api: Api) {
    this.name = api.name
    this.#errorCodes = new ErrorCodes(api)
  }

  /** Counts the error codes in a response that is going to be encoded. */
  responded(response: unknown): void {
    this.#errorCodes.each(response, this.#countError)
  }

  /** The request has been handled; its response may have to wait for those before it. */
  handled({ arrivedMs, startedMs, waitedMs }: RequestRecord, bytes: number, nowMs: number): void {
    this.requests++
    this.requestBytes += bytes
    this.queue.observe((startedMs - arrivedMs) / 1000)
    this.local.observe(Math.max(0, nowMs - startedMs - waitedMs) / 1000)
    if (waitedMs > 0) this.wait.observe(waitedMs / 1000)
  }

  /** The response is written, or there is none. */
  answered(arrivedMs: number, bytes: number, nowMs: number): void {
    this.responseBytes += bytes
    this.latency.observe((nowMs - arrivedMs) / 1000)
  }

  /** The network has taken the response. */
  sent(tookMs: number): void {
    this.send.observe(tookMs / 1000)
  }
}

export class RequestFigures {
  /** Fetch requests that wait for records. */
  waitingFetches = 0
  /** By the key of the API. */
  readonly #apis: ApiFigures[] = []

  of(api: Api): ApiFigures {
    let figures = this.#apis[api.key]
    if (!figures) {
      figures = new ApiFigures(api)
      this.#apis[api.key] = figures
    }
    return figures
  }

  /** Those of which there have been requests. */
  *all(): Generator<ApiFigures> {
    for (const figures of this.#apis) if (figures !== undefined) yield figures
  }
}
