// Errors of the NATS client as errors of coordination: what happened, to what, what to do. The
// client's classes are recognized by name, because the client is loaded lazily.

import { CoordinationError } from '../../coordinationError.ts'
import { authenticationOf, type NatsSettings, natsSettingNames } from './natsSettings.ts'

/** Codes of JetStream's errors that the log acts on (nats-server, server/errors.json). */
export const apiCodes = {
  messageNotFound: 10037,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  streamSealed: 10109,
} as const

/** JetStream's error code in the cause of a failure; undefined for other failures. */
export function apiCodeOf(error: unknown): number | undefined {
  const cause = error instanceof CoordinationError ? error.cause : error
  if (!(cause instanceof Error)) return undefined
  const isApi = cause.name === 'JetStreamApiError' || cause.name === 'StreamNotFoundError'
  return isApi && 'code' in cause && typeof cause.code === 'number' ? cause.code : undefined
}

/** `what`: the request that failed, as in "append to the coordination log". */
export function requestFailure(what: string, error: unknown): CoordinationError {
  if (error instanceof CoordinationError) return error
  const { name, message } = error as Error
  const unavailable = (text: string) =>
    new CoordinationError('COORDINATION_UNAVAILABLE', `cannot ${what}: ${text}`, error)
  if (name === 'TimeoutError') return unavailable('NATS did not answer in time')
  if (isNoResponders(error)) {
    return unavailable('no NATS server serves this: JetStream is disabled, or elects a leader')
  }
  if (isPermissionViolation(error)) {
    const text = `cannot ${what}: ${message}; permit this to the user of the connection`
    return new CoordinationError('COORDINATION_REFUSED', text, error)
  }
  if (error instanceof RangeError || error instanceof TypeError) throw error
  return unavailable(`NATS says: ${message}`)
}

/** Nobody received the request, so that it has no effect. */
export function isNoResponders(error: unknown): boolean {
  const { name, cause } = error as Error
  if (name === 'NoResponders' || name === 'JetStreamNotEnabled') return true
  return cause instanceof Error && isNoResponders(cause)
}

function isPermissionViolation(error: unknown): boolean {
  const { name, cause } = error as Error
  if (name === 'PermissionViolationError') return true
  return cause instanceof Error && isPermissionViolation(cause)
}

/** A failure to connect at all. */
export function connectFailure(settings: NatsSettings, error: unknown): CoordinationError {
  const names = natsSettingNames
  const { name, message } = error as Error
  const servers = settings.servers.join(', ')
  const refused = (text: string) => new CoordinationError('COORDINATION_REFUSED', text, error)
  if (name === 'AuthorizationError' || name === 'UserAuthenticationExpiredError') {
    const [way] = authenticationOf(settings)
    if (way !== undefined) return refused(`NATS at ${servers} refuses the user: check ${way}`)
    const ways = [names.user, names.token, names.credentials, names.nkeySeed].join(', ')
    return refused(`NATS at ${servers} requires authentication: set one of ${ways}`)
  }
  const tls = tlsProblem(error)
  if (tls !== undefined) return refused(`cannot connect to NATS at ${servers}: ${message}; ${tls}`)
  // A server that misses the certificate of a client ends the connection without a word.
  const { tls: ownTls } = settings
  const isWithoutCertificate = ownTls !== undefined && ownTls.certificate === undefined
  const hint =
    name === 'TimeoutError' && isWithoutCertificate
      ? `; if the server asks for a certificate of this client, set ${names.certificate}`
      : ''
  return new CoordinationError(
    'COORDINATION_UNAVAILABLE',
    `cannot connect to NATS at ${servers} (${names.servers}): ${message}${hint}`,
    error,
  )
}

/** What to set, for a failure of TLS; undefined for other failures. */
function tlsProblem(error: unknown): string | undefined {
  const names = natsSettingNames
  const cause = (error as Error).cause
  const code = codeOf(error) ?? codeOf(cause) ?? ''
  const message = (error as Error).message
  if (/server does not support 'tls'|'tls' is not available/.test(message)) {
    return `the server has no TLS: set it there, or remove ${names.tls} and its files`
  }
  if (code === 'CERT_HAS_EXPIRED') return 'the certificate of the server must be renewed'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the certificate of the server is for another host than the one in ${names.servers}`
  }
  if (/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)/.test(code)) {
    return `set ${names.ca} to the certificate that signs that of the server`
  }
  if (/ALERT|HANDSHAKE/.test(code) || /alert (?:certificate|bad|unknown)/i.test(message)) {
    return `the server asks for a certificate of this client: check ${names.certificate}`
  }
  if (/OSSL|PEM/.test(code) || /PEM|no start line/i.test(message)) {
    return `${names.ca}, ${names.certificate} or ${names.key} is not valid PEM`
  }
  return undefined
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
