// A client for a job's address, as found in a status or in the job's directory. The address may be
// stale: the job may have ended, and another program may be listening there.

import { type IncomingMessage, request } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { CodedError } from '../../protocol/runtime/codedError.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { EngineError } from '../engineError.ts'
import type { JobDescription, SavepointReport } from '../lifecycle/runningJob.ts'

/** Default timeout of a request. */
const answerTimeoutMs = 10_000
/** Timeout of a savepoint, which copies the state of the whole job. */
const savepointTimeoutMs = 60 * 60_000
const longestAnswerChars = 16 * 1024 * 1024

export class JobClient {
  readonly url: string
  readonly #id: string

  /** `id`: id of the job's status; requests are refused by any other job at this address. */
  constructor(url: string, id: string) {
    this.url = url
    this.#id = id
  }

  /** Whether a status belongs to this job. */
  isOf({ id }: Pick<JobStatus, 'id'>): boolean {
    return id === this.#id
  }

  /** Returns undefined when nothing answers at the address, or another job does. */
  async status(): Promise<JobStatus | undefined> {
    let status: JobStatus
    try {
      status = await this.#ask<JobStatus>('GET', '/job')
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
    return this.isOf(status) ? status : undefined
  }

  describe(): Promise<JobDescription> {
    return this.#ask('GET', '/job/state')
  }

  async stop(timeoutMs: number | undefined): Promise<void> {
    await this.#ask('POST', '/job/stop', timeoutMs === undefined ? {} : { timeoutMs })
  }

  async kill(): Promise<void> {
    await this.#ask('POST', '/job/kill', {})
  }

  savepoint(target: string): Promise<SavepointReport> {
    return this.#ask('POST', '/job/savepoint', { target }, savepointTimeoutMs)
  }

  async #ask<T>(
    method: string,
    path: string,
    body?: Readonly<Record<string, unknown>>,
    timeoutMs = answerTimeoutMs,
  ): Promise<T> {
    const url = new URL(path, this.url)
    const sent = body === undefined ? undefined : JSON.stringify({ ...body, id: this.#id })
    const { status, answer } = await exchange(url, method, sent, timeoutMs)
    if (status < 300) return answer as T
    const { error, message } = (answer ?? {}) as { error?: unknown; message?: unknown }
    throw new JobRefusedError(String(error), `${this.url} answers: ${message ?? `HTTP ${status}`}`)
  }
}

/** The error that a job answers to a request that it refuses. */
class JobRefusedError extends CodedError {}

/** Whether no HTTP server is listening at the address any more. */
function isGone(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE'
}

function exchange(
  url: URL,
  method: string,
  body: string | undefined,
  timeoutMs: number,
): Promise<{ status: number; answer: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(timeoutMs)
    const asked = request(url, { method, headers, agent: false, signal }, (response) => {
      readJson(response).then(
        (answer) => resolve({ status: response.statusCode ?? 0, answer }),
        (error) => reject(failed(url, timeoutMs, error)),
      )
    })
    asked.on('error', (error) => reject(failed(url, timeoutMs, error)))
    asked.end(body)
  })
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const decoder = new StringDecoder()
  let text = ''
  for await (const chunk of response) {
    text += decoder.write(chunk as Buffer)
    if (text.length > longestAnswerChars) throw new Error('the response is too long')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new EngineError('JOB_UNREACHABLE', 'the program at this address is not a job')
  }
}

function failed(url: URL, timeoutMs: number, error: Error): Error {
  if (isGone(error)) return error
  const reason =
    error.name === 'TimeoutError' || error.name === 'AbortError'
      ? `no response within ${timeoutMs / 1000} s`
      : error.message
  return new EngineError(
    'JOB_UNREACHABLE',
    `cannot reach the job at ${url.origin}: ${reason}`,
    error,
  )
}
