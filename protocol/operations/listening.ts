// Listening for HTTP: the bound address, the errors, and the limit of connections.

import { CodedError } from '../runtime/codedError.ts'
import { urlHost } from '../runtime/network/loopback.ts'
import type { Address } from '../runtime/network/network.ts'

export const mostConnections = 256
/** Timeout for the headers of a request to arrive, and again for its body. */
export const usualRequestTimeoutMs = 30_000

export type ListenErrorCode = 'PORT_IN_USE' | 'ADDRESS_UNUSABLE'

/** An address that cannot be listened on. */
export class ListenError extends CodedError<ListenErrorCode> {}

/** The bound address of a server. */
export interface Bound {
  readonly address: Address
  /** `http://127.0.0.1:41234` */
  readonly url: string
}

/** A server of node:net or node:http. */
interface ListeningServer {
  address(): { readonly port: number } | string | null
}

/** Returns the bound address of a listening `server`, with the host name `host`. */
export function boundTo(server: ListeningServer, host: string): Bound {
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  return { address: { host, port }, url: `http://${urlHost(host)}:${port}` }
}

/** Without the brackets of an IPv6 address, as the system expects it. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** `option` is the option that sets the address, for the message. */
export function listenError(
  address: Address,
  option: string,
  error: NodeJS.ErrnoException,
): ListenError {
  const where = `cannot listen on ${urlHost(address.host)}:${address.port}`
  if (error.code === 'EADDRINUSE') {
    const what = `port ${address.port} is in use by another program`
    const todo = `stop that program, or choose another port with ${option}`
    return new ListenError('PORT_IN_USE', `${where}: ${what}: ${todo}`, error)
  }
  const reason = reasons[error.code ?? ''] ?? error.message
  const message = `${where}: ${reason}; choose another address with ${option}`
  return new ListenError('ADDRESS_UNUSABLE', message, error)
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user has no permission to listen on the port',
  EADDRNOTAVAIL: 'the address does not belong to this machine',
  ENOTFOUND: 'the host name cannot be resolved',
}
