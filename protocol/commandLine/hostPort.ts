// `host:port` as command lines and configuration files have it; an IPv6 address is in brackets.

import type { Address } from '../runtime/network.ts'

/** Undefined for what is none. Port 0 is one: a free one. */
export function parseHostPort(text: string): Address | undefined {
  const [, bracketed, name, port] =
    /^(?:\[([^\]]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text.trim()) ?? []
  const host = bracketed ?? name
  if (host === undefined || Number(port) > 65_535) return undefined
  return { host, port: Number(port) }
}
